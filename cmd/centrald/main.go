// Command centrald is the receiving side: it takes the boxes' records from the MQTT broker into its journal, makes the books from
// it, serves the page behind the QR codes, and shows what came in.
//
//	centrald [-config /etc/centrald.toml]
//	centrald -print-config
//	centrald -check-config
//	centrald key [-seal]
//	centrald account add -role province -area 620000000000 -login li.qiang -name 李强
//	centrald account link|grant|disable|enable LOGIN
//	centrald account list
//	centrald device list
//	centrald device add -id lz-0417 -key … -hall 市民中心政务服务大厅 -window A07 -name 综合窗口7号
//	centrald device import -csv boxes.csv
//	centrald directory import [-apply] FILE
//	centrald directory export FILE
//	centrald directory list area|unit|hall|window|staff
//	centrald orders list [-unit CODE] [-limit MANY] [-json]
//	centrald orders rebuild -reason WHY
//	centrald figures rebuild
//	centrald figures publish -year YEAR -out FOLDER
//	centrald upward key
//	centrald upward table NAME
//	centrald policy show | draft | issue FILE | export | import FILE
//	centrald rehearse [-days MANY] [-leave WINDOWS] FILE
//	centrald findings [-all] [-limit MANY] [-json]
//	centrald verify
//	centrald rebuild
//	centrald backup FILE
//	centrald restore [-head FILE] FILE
//	centrald accept
//	centrald prove ID
//	centrald check-proof -seal-key KEY FILE
//	centrald erase -reason WHY ID
//	centrald witness -seal-key KEY [-accept-restore NAME] URL
//	centrald replica -seal-key KEY -folder FOLDER -token-file FILE [-accept-restore NAME] URL
//	centrald replica -seal-key KEY -folder FOLDER -verify
//
// "-check-config" checks the configuration and tries whether the broker has what the centre needs.
// "key" prints the centre's public key, which each box must know. "account add" opens an account and prints a link by which the person
// chooses a password. "device add" enrols a box or moves it to another window, which a centrald that runs notices within seconds. "device
// import" does so for every line of a file, once all of them are right. "directory" knows the organisation, whose windows' names boxes get.
// "orders" lists the work on bad evaluations by what is due first. "findings" lists what is wrong with what the boxes have sent, what that
// means and what to do. "verify" checks the journal by its seal and the boxes' signatures, and the books by making them again; it ends with
// status 1 if something differs. The other commands are described in deploy/man/centrald.8. All but "restore" may be used while centrald
// runs. -config may stand before or after a command's words.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"haochaping/internal/cli"
	"haochaping/internal/sdnotify"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:], environment{os.Stdout, os.Stderr, time.Now, rand.Reader, manager}); err != nil {
		cli.Report(os.Stderr, "centrald", err)
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
	return cli.Status(err)
}
