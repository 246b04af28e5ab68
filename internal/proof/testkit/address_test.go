package testkit

import (
	"net"
	"strconv"
	"testing"
)

// TestAnAddressIsGivenOnce asks for many addresses: each may be listened at, none comes twice, and none is of the ports that the kernel
// gives by itself.
func TestAnAddressIsGivenOnce(t *testing.T) {
	seen := make(map[string]bool)
	for range 500 {
		address := Address(t)
		if seen[address] {
			t.Fatalf("%s is given twice", address)
		}
		seen[address] = true
		_, text, err := net.SplitHostPort(address)
		port, err2 := strconv.Atoi(text)
		if err != nil || err2 != nil || port < lowestPort || port >= kernelsPorts() {
			t.Errorf("the address is %s: %v, %v", address, err, err2)
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}
