// Package compress is the four codecs of the record batch, over bytes in memory.
//
// It owns the decoders and encoders of gzip, snappy, lz4 and zstd, and their bounds. It promises that no codec starts a
// goroutine, that what is decompressed ends at the caller's limit, in bytes and hence in time, and that a Decoder that
// is used again allocates little or nothing. It never trusts an announced size: memory grows with the bytes that come
// out, up to maxWindow and the block sizes of the formats. It is the one package of the core that imports codec libraries.
//
//	bytes of a batch ──Open(codec, src, max)──▶ Decoder ──Read──▶ decompressed bytes, then io.EOF
//	                                                     └──▶ ErrTooLarge at max, ErrCorrupt on anything malformed
//
// Snappy has two framings: xerial's (a header, then length-prefixed blocks: what Java, librdkafka and franz-go write)
// and one raw block (what some older clients write). Both are read; the first is written.
// Read on in core/records: Check streams through a Decoder, Reader and Builder use whole buffers.
package compress
