package db

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// A server's machine that has gone without a word is noticed.
func TestAConnectionIsGivenUpThatNobodyAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	cfg, err := parsePostgres("postgres://u@127.0.0.1/d?sslmode=disable&idle_in_transaction_session_timeout=5s")
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.RuntimeParams["idle_in_transaction_session_timeout"]; got != "5s" {
		t.Errorf("idle_in_transaction_session_timeout is %q, the URL says 5s", got)
	}
	c, err := cfg.DialFunc(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	raw, err := c.(*patient).Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		for _, o := range []struct{ level, name, want int }{{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 20000},
			{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 10}, {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 5}, {unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3}} {
			if got, err := unix.GetsockoptInt(int(fd), o.level, o.name); err != nil || got != o.want {
				t.Errorf("socket option %d is %d, want %d; %v", o.name, got, o.want, err)
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
}
