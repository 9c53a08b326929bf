/**
 * Clocks. Squeak's epoch is 1901-01-01 00:00, in UTC for 240 and in local time for 137 and 241.
 */
import {
  PRIM_ERROR,
  type Primitive,
  type PrimitiveContext,
} from '../interpreter/primitive-interface.ts';
import { fail, newInteger, smallInteger } from './checks.ts';

/** Seconds from 1901-01-01 to 1970-01-01: 69 years, 17 of them leap years. */
export const EPOCH_SECONDS = (69 * 365 + 17) * 86_400;
const MILLISECOND_CLOCK_MASK = 0x1fffffff;

function offsetSeconds(vm: PrimitiveContext): number {
  return vm.host.timeZoneOffsetSeconds?.() ?? 0;
}

/** 135: milliseconds, wrapping after 29 bits (six days). */
export const millisecondClock: Primitive = (vm) =>
  smallInteger(Math.floor(vm.host.nowMicroseconds() / 1000) % (MILLISECOND_CLOCK_MASK + 1));

/** 137: seconds of local time. */
export const secondClock: Primitive = (vm) =>
  newInteger(vm, Math.floor(vm.host.nowMicroseconds() / 1e6) + offsetSeconds(vm) + EPOCH_SECONDS);

/** 240: microseconds, UTC. */
export const utcMicroseconds: Primitive = (vm) =>
  newInteger(vm, Math.floor(vm.host.nowMicroseconds()) + EPOCH_SECONDS * 1e6);

/** 241: microseconds, local time. */
export const localMicroseconds: Primitive = (vm) =>
  newInteger(vm, Math.floor(vm.host.nowMicroseconds()) + (offsetSeconds(vm) + EPOCH_SECONDS) * 1e6);

/** primitiveTimeZoneOffset: seconds east of UTC. */
export const timeZoneOffset: Primitive = (vm) => {
  const seconds = offsetSeconds(vm);
  return Number.isInteger(seconds) ? smallInteger(seconds) : fail(vm, PRIM_ERROR.hostError);
};
