package client

// voter is a voter that was removed, as it is to come back.
type voter struct {
	directory  [16]byte
	name, host string
	port       uint16
}
