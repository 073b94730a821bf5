// Package wire turns Kafka's request bytes into structs and structs into response bytes.
//
// It owns the framing (four length bytes), the request and response headers, the primitive types of the protocol, and the
// codecs of the hot APIs: Produce, Fetch, Metadata and ApiVersions. All other APIs pass through franz-go's kmsg, behind a guard
// (Cold) that walks the bytes by the API's schema first.
//
//	frame ──ParseHeader──▶ Header, body ──ProduceRequest.Decode──▶ flat struct whose slices alias the frame
//	                                    ──Cold──────────────────▶ kmsg.Request
//	arena ◀──AppendProduceResponse, AppendMetadataResponse, AppendCold…
//	arena ◀──StartFrame, AppendResponseHeader, AppendFetchHead, {AppendFetchTopic, {AppendFetchPartition, extent,
//	         AppendFetchPartitionEnd}, AppendFetchTopicEnd}, AppendFetchEnd, FinishFrame
//	arena ◀──FetchRequest.AppendTo         frame ──FetchResponse.Decode──▶ flat struct whose records alias the frame (followers)
//
// It promises: no input makes it panic, loop or allocate by an announced length rather than by bytes that are present; a decoded
// hot request costs no allocation when its struct is reused; what it accepts, Apache Kafka's parser accepts, with the same
// values (trailing bytes are ignored, unknown tagged fields are skipped, any negative length is null and therefore an error
// where the field is not nullable).
//
// It never looks into record batches, checks no business rule, and keeps no byte beyond the frame that a struct aliases.
//
// Read reader.go first, then produce.go; kmsg is the oracle of the fuzz tests.
package wire
