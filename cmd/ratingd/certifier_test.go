package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"testing"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/central/enrol"
	"haochaping/sync/uplink"
	"haochaping/sync/wire"
)

// TestWhatABoxThatWaitsDoes carries out what the centre has signed for this box, that it forgets all, and no longer than it holds.
func TestWhatABoxThatWaitsDoes(t *testing.T) {
	public, centre, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := enrol.OpenAuthority(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	cfg := boxconfig.Config{Uplink: boxconfig.Uplink{CentreKey: boxconfig.PublicKey(public)},
		Enrol: boxconfig.Enrol{Root: string(authority.RootPEM())}}
	now := time.UnixMilli(1_790_000_000_000)
	told := wire.Command{Device: "bcdf23456789", ID: "f-1", Name: wire.CommandErase, Args: map[string]string{"give_up": "bcdf23456789"},
		Expires: now.Add(time.Minute).UnixMilli()}
	others, late, other := told, told, told
	others.Device, late.Expires, other.Name = "ghjk23456789", now.Add(-time.Minute).UnixMilli(), wire.CommandRestart
	for name, x := range map[string]struct {
		told   wire.Command
		key    ed25519.PrivateKey
		synced bool
		done   bool
	}{
		"what it is told":                {told, centre, true, true},
		"by no centre":                   {told, stranger, true, false},
		"for another box":                {others, centre, true, false},
		"something else":                 {other, centre, true, false},
		"an old one":                     {late, centre, true, false},
		"an old one, if no clock is set": {late, centre, false, true},
	} {
		sealed, err := wire.Seal(x.key, wire.CommandPurpose, &x.told)
		if err != nil {
			t.Fatal(err)
		}
		erased := ""
		env := environment{wall: func() time.Time { return now }, synced: func() bool { return x.synced }}
		c := certifier{line: &centreLine{box: cfg, env: env}, who: identity{device: "bcdf23456789"}, log: slog.New(slog.DiscardHandler),
			cfg:   cfg,
			erase: func(id, giveUp string) error { erased = id + " " + giveUp; return uplink.ErrLater }}
		c.order(sealed)
		if want := "f-1 bcdf23456789"; (erased == want) != x.done || erased != "" && erased != want {
			t.Errorf("%s: it is erased by %q", name, erased)
		}
	}
}
