package quorum

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/hashicorp/raft"
)

// A snapshot is a file. All integers are big-endian:
//
//	snapshot = magic:4 | version:4 (1) | index:8 | term:8 | configurationIndex:8 | n:4 | (suffrage:1 | id | address)*n | data | size of data:8 | crc32c of all before:4
//	id, address = size:2 | bytes
const (
	snapshotMagic   = 0x53535331
	snapshotHead    = 4 + 4 + 8 + 8 + 8 + 4
	snapshotTrailer = 12
)

var errSnapshot = errors.New("damaged snapshot")

func encodeSnapshotHead(m *raft.SnapshotMeta) []byte {
	be := binary.BigEndian
	b := be.AppendUint32(nil, snapshotMagic)
	b = be.AppendUint32(b, 1)
	b = be.AppendUint64(b, m.Index)
	b = be.AppendUint64(b, m.Term)
	b = be.AppendUint64(b, m.ConfigurationIndex)
	b = be.AppendUint32(b, uint32(len(m.Configuration.Servers)))
	for _, s := range m.Configuration.Servers {
		b = append(b, byte(s.Suffrage))
		for _, v := range [...]string{string(s.ID), string(s.Address)} {
			b = append(be.AppendUint16(b, uint16(len(v))), v...)
		}
	}
	return b
}

func encodeSnapshotTrailer(size int64, crc uint32) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(size))
	return binary.BigEndian.AppendUint32(b, crc32.Update(crc, castagnoli, b))
}

// decodeSnapshot reads a whole file; data aliases b.
func decodeSnapshot(b []byte) (m *raft.SnapshotMeta, data []byte, err error) {
	be := binary.BigEndian
	n := len(b) - snapshotTrailer
	if n < snapshotHead || be.Uint32(b) != snapshotMagic || be.Uint32(b[4:]) != 1 || be.Uint32(b[n+8:]) != crc32.Checksum(b[:n+8], castagnoli) {
		return nil, nil, errSnapshot
	}
	m = &raft.SnapshotMeta{Version: 1, Index: be.Uint64(b[8:]), Term: be.Uint64(b[16:]), ConfigurationIndex: be.Uint64(b[24:]), Size: int64(be.Uint64(b[n:]))}
	rest := b[snapshotHead:n]
	for range be.Uint32(b[32:]) {
		var s raft.Server
		if rest, err = decodeServer(rest, &s); err != nil {
			return nil, nil, err
		}
		m.Configuration.Servers = append(m.Configuration.Servers, s)
	}
	if m.Size != int64(len(rest)) {
		return nil, nil, errSnapshot
	}
	m.ID = snapshotName(m.Index, m.Term)
	return m, rest, nil
}

func decodeServer(b []byte, s *raft.Server) ([]byte, error) {
	if len(b) < 1 || b[0] > byte(raft.Staging) {
		return nil, errSnapshot
	}
	s.Suffrage, b = raft.ServerSuffrage(b[0]), b[1:]
	var text [2]string
	for i := range text {
		if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
			return nil, errSnapshot
		}
		n := int(binary.BigEndian.Uint16(b))
		text[i], b = string(b[2:2+n]), b[2+n:]
	}
	s.ID, s.Address = raft.ServerID(text[0]), raft.ServerAddress(text[1])
	return b, nil
}
