package txn

// Config is the settings of a coordinator, by Kafka's names. The caller may change them between steps.
type Config struct {
	MaxTimeoutMS  int32 // transaction.max.timeout.ms
	ExpirationMS  int64 // transactional.id.expiration.ms
	AbortEachMS   int32 // transaction.abort.timed.out.transaction.cleanup.interval.ms
	ExpireEachMS  int32 // transaction.remove.expired.transaction.cleanup.interval.ms
	StallMS       int32 // how long a reply waits for the high watermark
	MaxBatchBytes int32 // of one batch on the log: max.message.bytes of __transaction_state
	Version       int16 // transaction.version, as the cluster has finalized it
	FirstEpoch    int16 // internal.transactional.id.first.epoch: of an id that is new

	// HoldMS is how long a client's request waits for the transaction before to be completed, BrokerHoldMS a broker's, whose connection others
	// wait for too. Afterwards it gets CONCURRENT_TRANSACTIONS.
	HoldMS       int32
	BrokerHoldMS int32

	// Bounds of our own; Kafka has none there.
	MaxIDs  int // transactional ids of one coordinator
	MaxHeld int // requests that wait for one id
}

// DefaultConfig gives Kafka's defaults.
func DefaultConfig() *Config {
	return &Config{
		MaxTimeoutMS:  15 * 60 * 1000,
		ExpirationMS:  7 * 24 * 60 * 60 * 1000,
		AbortEachMS:   10_000,
		ExpireEachMS:  60 * 60 * 1000,
		StallMS:       5000,
		MaxBatchBytes: 1048588,
		Version:       Version2,
		HoldMS:        3000,
		BrokerHoldMS:  100,
		MaxIDs:        1 << 20,
		MaxHeld:       16,
	}
}
