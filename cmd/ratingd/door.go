package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"

	"haochaping/internal/cli"
	"haochaping/internal/porthold"
)

// door is an address at which others call the box.
type door struct {
	name    string // in the addresses file
	field   string // of the configuration
	address string
	open    func(context.Context) (net.Listener, error)
	serve   func(context.Context, net.Listener) error // closes the listener
	book    *addressBook
}

// run opens the door and answers until ctx ends.
func (d door) run(ctx context.Context, report func(error)) error {
	l, err := d.open(ctx)
	d.book.tried(d.name, l)
	if err != nil {
		return fmt.Errorf("%s: %w", d.field, portTaken(d.address, err))
	}
	report(nil)
	return d.serve(ctx, l)
}

// portTaken says who has the port, where another program has it.
func portTaken(address string, err error) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	h, port, e := porthold.At("/proc", address)
	if e != nil {
		return err
	}
	return cli.Because(err, fmt.Sprintf("端口 %d 被%s占用", port, h.ZH()), fmt.Sprintf("port %d is taken by %s", port, h.EN()))
}

// addressBook writes the addresses that were bound into a file, for a supervisor that let the system choose the ports. It is
// safe for concurrent use.
type addressBook struct {
	path string // of the file, empty for none
	log  *slog.Logger

	mu      sync.Mutex
	all     map[string]string // guarded by mu; empty for a door that is not open
	waiting map[string]bool   // guarded by mu; doors that were not tried yet
	written bool              // guarded by mu; the file holds all
}

// newAddressBook returns a book that has the given entries from the start.
func newAddressBook(path string, entries map[string]string, log *slog.Logger) *addressBook {
	return &addressBook{path: path, log: log, all: entries, waiting: make(map[string]bool)}
}

// expect makes the book wait for a door. Call it before anything runs.
func (b *addressBook) expect(name string) *addressBook {
	b.waiting[name] = true
	return b
}

// begin writes the file where no door is to be waited for.
func (b *addressBook) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.update()
}

// tried takes a door that was opened, or could not be (nil). The file is written once all doors have been tried, and again when
// one is opened later.
func (b *addressBook) tried(name string, l net.Listener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.waiting, name)
	if now := address(l); b.all[name] != now {
		b.all[name], b.written = now, false
	}
	b.update()
}

func address(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}

// update needs mu.
func (b *addressBook) update() {
	if b.written || len(b.waiting) > 0 {
		return
	}
	if err := writeAddresses(b.path, b.all); err != nil {
		b.log.Error("whoever waits for the bound addresses does not learn them", "error", err)
	}
	b.written = true
}
