package simdisk

const chunkSize = 64 << 10

// image is the bytes of a file in chunks. A chunk may be shorter than chunkSize, and missing: what is not there reads as zero.
type image struct {
	chunks [][]byte
	size   int64
}

// readAt fills p from off and says how many bytes lie before the end of the file.
func (m *image) readAt(p []byte, off int64) int {
	if off >= m.size {
		return 0
	}
	if left := m.size - off; int64(len(p)) > left {
		p = p[:left]
	}
	n := len(p)
	for len(p) > 0 {
		i, at := int(off/chunkSize), int(off%chunkSize)
		k := min(chunkSize-at, len(p))
		var c []byte
		if i < len(m.chunks) && at < len(m.chunks[i]) {
			c = m.chunks[i][at:]
		}
		got := copy(p[:k], c)
		clear(p[got:k])
		p, off = p[k:], off+int64(k)
	}
	return n
}

// writeAt puts p at off and extends the file if it ends before.
func (m *image) writeAt(p []byte, off int64) {
	if len(p) == 0 {
		return
	}
	m.size = max(m.size, off+int64(len(p)))
	for len(p) > 0 {
		i, at := int(off/chunkSize), int(off%chunkSize)
		k := min(chunkSize-at, len(p))
		copy(m.chunk(i, at+k)[at:], p[:k])
		p, off = p[k:], off+int64(k)
	}
}

// chunk gives chunk i with at least n bytes.
func (m *image) chunk(i, n int) []byte {
	for len(m.chunks) <= i {
		m.chunks = append(m.chunks, nil)
	}
	c := m.chunks[i]
	if len(c) < n {
		if cap(c) < n {
			size := 512
			for size < n {
				size *= 2
			}
			grown := make([]byte, n, size)
			copy(grown, c)
			c = grown
		} else {
			old := len(c)
			c = c[:n]
			clear(c[old:])
		}
		m.chunks[i] = c
	}
	return c
}

// resize cuts the file or extends it with zeros.
func (m *image) resize(size int64) {
	if size < m.size {
		i, at := int(size/chunkSize), int(size%chunkSize)
		if i < len(m.chunks) {
			if len(m.chunks[i]) > at {
				m.chunks[i] = m.chunks[i][:at]
			}
			clear(m.chunks[i+1:])
			m.chunks = m.chunks[:i+1]
		}
	}
	m.size = size
}

// bytes gives a copy of [off, off+n) as far as the file goes.
func (m *image) bytes(off, n int64) []byte {
	if off >= m.size || n <= 0 {
		return nil
	}
	p := make([]byte, min(n, m.size-off))
	m.readAt(p, off)
	return p
}

// clone copies the image.
func (m *image) clone() image {
	c := image{size: m.size, chunks: make([][]byte, len(m.chunks))}
	for i, b := range m.chunks {
		c.chunks[i] = append([]byte(nil), b...)
	}
	return c
}
