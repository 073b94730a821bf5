package process

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// ports are those of this program: a block whose first port it listens on for as long as it lives, so that the brokers of two programs never
// meet at a port that is free for the moment in which one of them starts, or starts again.
var ports struct {
	mu    sync.Mutex
	block net.Listener
	first int
	given int // ports given so far
}

const (
	firstPort = 20000
	portBlock = 300 // ports
	blocks    = 30
)

// FreeAddr gives an address of loopback on which nobody listens, below the ephemeral range: a client that redials a dead broker's ephemeral
// port may connect to itself. None is given twice before all others of this program's block were.
func FreeAddr() (string, error) {
	ports.mu.Lock()
	defer ports.mu.Unlock()
	for try := 0; ports.block == nil; try++ {
		if try == 200 {
			return "", fmt.Errorf("no free block of ports between %d and %d: end what listens there", firstPort, firstPort+blocks*portBlock)
		}
		ports.first = firstPort + portBlock*rand.IntN(blocks)
		ports.block, _ = net.Listen("tcp", loopback(ports.first)) // another program's if it fails
	}
	for range portBlock {
		ports.given++
		addr := loopback(ports.first + 1 + ports.given%(portBlock-1))
		if l, err := net.Listen("tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
	return "", fmt.Errorf("no free port between %d and %d: end what listens there", ports.first, ports.first+portBlock)
}

func loopback(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }
