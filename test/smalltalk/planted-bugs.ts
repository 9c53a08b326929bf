/**
 * Bugs to plant into the library, one at a time, to see whether the tests find them. Each replaces
 * one piece of one method's source, found as it is written in vm/classes (runs of blanks count as
 * one), by what somebody might have written by mistake.
 */

/** A bug: where, what stands there, what shall stand there instead. */
export interface PlantedBug {
  /** `Class>>selector` or `Class class>>selector`. */
  readonly method: string;
  readonly right: string;
  readonly wrong: string;
}

function bug(method: string, right: string, wrong: string): PlantedBug {
  return { method, right, wrong };
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  // Off by one.
  bug('SequenceableCollection>>before:ifAbsent:', 'index < 2', 'index < 1'),
  bug('SequenceableCollection>>reverseWithIndexDo:', 'to: 1 by: -1', 'to: 2 by: -1'),
  bug('SequenceableCollection>>endsWith:', 'aCollection size + 1', 'aCollection size'),
  bug('OrderedCollection>>insert:at:', 'to: lastIndex', 'to: lastIndex - 1'),
  bug('PositionableStream>>upToAll:', 'copyFrom: start to: index - 1', 'copyFrom: start to: index'),
  bug('Random>>nextInteger:', 'value \\\\ limit + 1', 'value \\\\ limit'),
  bug('Integer>>bitAt:put:', 'bitShift: index - 1', 'bitShift: index'),
  bug('Interval>>size', '// step + 1 ] ifFalse: [ 0 ]', '// step ] ifFalse: [ 0 ]'),
  bug('String>>truncateWithElipsisTo:', 'self size <= length', 'self size < length'),
  bug('Character>>isAscii', '< 128', '< 127'),
  // Comparisons and boundaries.
  bug('SortedCollection>>indexForInserting:', '[ low <= high ]', '[ low < high ]'),
  bug('Collection>>detectMax:', 'value > bestValue', 'value < bestValue'),
  bug('Point>>min:', 'y min: aPoint y', 'y max: aPoint y'),
  bug('Interval>>=', 'start = anObject start and: [', 'true and: ['),
  bug('Dictionary>>keyAtIdentityValue:ifAbsent:', '==', '='),
  bug('IdentitySet>>scanFor:', 'content == anObject', 'content = anObject'),
  bug('CivilCalendar class>>isLeapYear:', 'year \\\\ 400 = 0', 'year \\\\ 400 = 1'),
  bug('Exception class>>handles:', 'anException class == self or:', 'false or:'),
  bug('Float>>rounded', 'abs < 0.5', 'abs <= 0.5'),
  bug('Number>>rounded', 'self sign / 2', '1 / 2'),
  // Equality and hash.
  bug('Float>>hash', 'self truncated hash', 'self truncated hash + 1'),
  bug('Fraction>>hash', '^ float hash', '^ float hash + 1'),
  bug('ScaledDecimal>>hash', 'self asTrueFraction hash', 'scale hash'),
  bug('Set>>hash', 'each hash hashMultiply', 'each identityHash hashMultiply'),
  bug('Association>>=', 'value = anObject value', 'true'),
  bug('DateAndTime>>=', 'anObject class == self class and:', 'true and:'),
  bug('Bag>>=', 'contents = anObject valuesAndCounts', 'self size = anObject size'),
  // Signs and units.
  bug('Number>>rem:', 'self quo: aNumber', 'self // aNumber'),
  bug('Number>>//', 'floor', 'truncated'),
  bug('Point>>rightRotated', 'y negated @ x', 'y @ x negated'),
  bug('Duration>>asMicroseconds', 'quo: 1000', 'quo: 1000000'),
  bug('Time>>addTime:', '\\\\ 86400000000000', '\\\\ 86400000000000000'),
  bug('Duration>>printOn:', 'aStream nextPut: $-', 'aStream nextPut: $+'),
  bug('String>>asInteger', 'start := start - 1', 'start := start'),
  // Copies that are missing, and things that must not be shared.
  bug('Set>>union:', 'self copy addAll:', 'self addAll:'),
  bug('Message>>postCopy', 'args copy', 'args'),
  bug('SortedCollection>>copyWith:', 'self copy add:', 'self add:'),
  bug('PositionableStream>>postCopy', 'collection copy', 'collection yourself'),
  bug('Object>>deepCopyInto:', 'copies at: self put: copy.', ''),
  // Exceptions, their handlers and what must run at the end.
  bug('BlockClosure>>ensure:', 'complete := true. aBlock value', 'aBlock value. complete := true'),
  bug('BlockClosure>>ifCurtailed:', '<primitive: 198>', ''),
  bug('ExceptionSetWithExclusions>>handles:', 'noneSatisfy:', 'anySatisfy:'),
  bug('OrderedCollection>>removeFirst', 'self errorEmptyCollection', 'nil'),
  bug('ScaledDecimal>>reciprocal', '1 signalZeroDivide', 'self'),
  bug('Exception>>postCopy', 'signalContext := nil.', ''),
  // Growth, removal, order.
  bug('OrderedDictionary>>associationsDo:', 'order do: aBlock', 'super associationsDo: aBlock'),
  bug('OrderedDictionary>>clearIndex:', 'order removeIdentical: (array at: index).', ''),
  bug('LinkedList>>remove:ifAbsent:', 'before := link.', ''),
  bug('Bag>>remove:ifAbsent:', 'count - 1', 'count'),
  bug('Heap>>add:', 'self moveUp: tally.', ''),
  // Processes.
  bug('Mutex>>critical:', 'aBlock ensure: [ owner := nil ]', 'aBlock value'),
  bug('Semaphore>>critical:ifLocked:', 'excessSignals = 0', 'excessSignals < 0'),
];
