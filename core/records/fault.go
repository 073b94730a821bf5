package records

import (
	"github.com/seedlog/seedlog/core/kerr"
)

// fault is what is wrong with a batch. The zero value is nothing.
type fault uint8

const (
	fine fault = iota
	faultNoBatch
	faultLength
	faultMagicOld
	faultMagicUnknown
	faultSeveral
	faultBaseOffset
	faultTooLarge
	faultCRC
	faultCodec
	faultCount
	faultOffsetRange
	faultControl
	faultSequence
	faultEpoch
	faultTransactional
	faultTimestampType
	faultVarint
	faultRecordSize
	faultKeySize
	faultValueSize
	faultHeaders
	faultOffsetDelta
	faultNoKey
	faultTimestamp
	faultRecordsMissing
	faultRecordsExcess
	faultDecompress
	faultBomb
	faultCountOf
)

// verdicts are the faults' codes and texts, by fault. The codes are those of Kafka's ProduceRequest.validateRecords,
// UnifiedLog.analyzeAndValidateRecords and LogValidator, except that bytes which do not decompress, and codecs that do not
// exist, are the client's mistake here (Kafka answers UNKNOWN_SERVER_ERROR).
var verdicts = [faultCountOf]struct {
	code kerr.Code
	text string
}{
	fine:                {kerr.None, ""},
	faultNoBatch:        {kerr.InvalidRecord, "a partition of a produce request must hold exactly one whole record batch, and holds none"},
	faultLength:         {kerr.CorruptMessage, "the batch length is below that of a batch without records"},
	faultMagicOld:       {kerr.InvalidRecord, "the record batch is not of magic 2"},
	faultMagicUnknown:   {kerr.CorruptMessage, "the record batch has an unknown magic"},
	faultSeveral:        {kerr.InvalidRecord, "a partition of a produce request must hold exactly one record batch, and bytes follow it"},
	faultBaseOffset:     {kerr.InvalidRecord, "the base offset of a produced batch must be 0"},
	faultTooLarge:       {kerr.MessageTooLarge, "the record batch is larger than max.message.bytes"},
	faultCRC:            {kerr.CorruptMessage, "the record batch does not match its CRC"},
	faultCodec:          {kerr.UnsupportedCompressionType, "the record batch names an unknown compression codec"},
	faultCount:          {kerr.InvalidRecord, "the record batch's count is not above 0"},
	faultOffsetRange:    {kerr.InvalidRecord, "the record batch's last offset delta does not match its count"},
	faultControl:        {kerr.InvalidRecord, "clients are not allowed to write control records"},
	faultSequence:       {kerr.InvalidRecord, "a batch with a producer id has a negative sequence number"},
	faultEpoch:          {kerr.InvalidRecord, "a batch with a producer id has a negative producer epoch"},
	faultTransactional:  {kerr.InvalidRecord, "a transactional batch has no producer id"},
	faultTimestampType:  {kerr.InvalidTimestamp, "producers must not set the timestamp type to LogAppendTime"},
	faultVarint:         {kerr.InvalidRecord, "a number in a record is cut off or too long"},
	faultRecordSize:     {kerr.InvalidRecord, "a record's size does not match its content"},
	faultKeySize:        {kerr.InvalidRecord, "a record's key size is out of range"},
	faultValueSize:      {kerr.InvalidRecord, "a record's value size is out of range"},
	faultHeaders:        {kerr.InvalidRecord, "a record's headers are malformed"},
	faultOffsetDelta:    {kerr.InvalidRecord, "the records' offset deltas are not 0, 1, 2 …"},
	faultNoKey:          {kerr.InvalidRecord, "a compacted topic cannot accept a record without a key"},
	faultTimestamp:      {kerr.InvalidTimestamp, "a record's timestamp is out of the range that message.timestamp.before.max.ms and message.timestamp.after.max.ms allow"},
	faultRecordsMissing: {kerr.InvalidRecord, "the record batch ends before its count of records"},
	faultRecordsExcess:  {kerr.InvalidRecord, "bytes follow the record batch's count of records"},
	faultDecompress:     {kerr.InvalidRecord, "the record batch does not decompress"},
	faultBomb:           {kerr.MessageTooLarge, "the record batch decompresses to more than the broker accepts"},
}

func (f fault) verdict() (kerr.Code, string) { return verdicts[f].code, verdicts[f].text }

// Error makes a fault what Reader gives. No allocation: faults are small numbers.
func (f fault) Error() string { return "records: " + verdicts[f].text }
