package main

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"testing"
)

// The box starts where its network is not there yet. The addresses are those of documentation (RFC 5737, RFC 3849).
func TestListenBeforeTheNetworkIsThere(t *testing.T) {
	for address, missing := range map[string]bool{"192.0.2.7:0": true, "[2001:db8::7]:0": true, "127.0.0.1:0": false, "0.0.0.0:0": false,
		":0": false} {
		var said bytes.Buffer
		l, err := listenLAN(t.Context(), address, slog.New(slog.NewTextHandler(&said, nil)))
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		if got := strings.Contains(said.String(), "no network interface has the address"); got != missing {
			t.Errorf("%s: %q", address, said.String())
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	if l, err := listenLAN(t.Context(), taken.Addr().String(), slog.New(slog.DiscardHandler)); err == nil {
		t.Errorf("%s was given twice", l.Addr())
	}
	if l, err := listenLAN(t.Context(), "", nil); l != nil || err != nil {
		t.Errorf("no address: %v, %v", l, err)
	}
}
