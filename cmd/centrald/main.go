// Command centrald is the receiving side: it takes the boxes' records from the MQTT broker into its books, serves the page
// behind the QR codes, and shows what came in.
//
//	centrald [-config /etc/centrald.toml]
//	centrald -print-config
//	centrald -check-config
//	centrald key
//	centrald device list
//	centrald device add -id lz-0417 -key … -hall 市民中心政务服务大厅 -window A07 -name 综合窗口7号
//	centrald device import -csv boxes.csv
//	centrald findings [-all] [-json]
//	centrald verify
//
// "-check-config" checks the configuration and tries whether the broker has what the centre needs.
// "key" prints the centre's public key, which each box must know. "device add" enrols a box or moves it to another window;
// it may be used while centrald runs, which notices within seconds. "device import" does so for every line of a file, once all
// of them are right. "findings" lists what is wrong with what the boxes have
// sent, what that means and what to do. "verify" checks all books: that every record is what its box has signed and
// follows from the one before it; if not, it ends with status 1. Both may be used while centrald runs. -config may stand
// before or after a command's words.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"haochaping/internal/sdnotify"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:], environment{os.Stdout, os.Stderr, time.Now, rand.Reader, manager}); err != nil {
		fmt.Fprintln(os.Stderr, "centrald:", err)
		os.Exit(exitStatus(err))
	}
}

// manager finds the service manager.
func manager() (*sdnotify.Manager, error) { return sdnotify.Connect(os.Getenv, os.Getpid()) }

// configurationError says that the configuration is wrong: starting again helps only when somebody has changed it.
type configurationError struct{ err error }

func (e *configurationError) Error() string { return e.err.Error() }

// Unwrap returns what is wrong.
func (e *configurationError) Unwrap() error { return e.err }

// exitConfiguration is EX_CONFIG of sysexits.h, on which the unit does not restart the daemon.
const exitConfiguration = 78

func exitStatus(err error) int {
	var wrong *configurationError
	if errors.As(err, &wrong) {
		return exitConfiguration
	}
	return 1
}
