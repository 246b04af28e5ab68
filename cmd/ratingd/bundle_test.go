package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"haochaping/internal/boxconfig"
	"haochaping/internal/supportfile"
	"haochaping/sync/wire"
)

// sendsBundle has a box that has just been rated send what support needs, and reads what the page then hands out.
func sendsBundle(p page, b *box, device string) {
	b.t.Helper()
	at := "/fleet/boxes/" + device
	p.until(at, "剩余 ") // the page has heard of it
	p.post(at+"/commands", url.Values{"name": {wire.CommandSendBundle}})
	p.until(at, "上传，下载")
	p.carriedOut(at)
	link := regexp.MustCompile(at + `/bundles/[^"]+`).FindString(p.get(at))
	zip, err := gzip.NewReader(strings.NewReader(p.get(link)))
	if err != nil {
		b.t.Fatal(err)
	}
	got := make(map[string]string)
	for files := tar.NewReader(zip); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			b.t.Fatal(err)
		}
		text, err := io.ReadAll(files)
		if err != nil {
			b.t.Fatal(err)
		}
		got[h.Name] = string(text)
	}
	for name, want := range map[string]string{"version.txt": "ratingd ", "status.json": `"device": "` + device, "config.json": b.state,
		"records.json": `"visit": 1`, "log.txt": `msg="ratingd runs"`, "system.txt": "Linux"} {
		if !strings.Contains(got[name], want) {
			b.t.Errorf("the bundle's %s lacks %q:\n%s", name, want, got[name])
		}
	}
	for _, secret := range []string{boxconfig.IdentityFile, boxconfig.TLSKeyFile} {
		key, err := os.ReadFile(filepath.Join(b.state, secret))
		if err != nil {
			b.t.Fatal(err)
		}
		for name, text := range got {
			for line := range bytes.Lines(key) {
				if line = bytes.TrimSpace(line); len(line) > 20 && !bytes.HasPrefix(line, []byte("-----")) && strings.Contains(text, string(line)) {
					b.t.Errorf("%s holds the key of %s", name, secret)
				}
			}
		}
	}
}

// TestABoxThatTheCentreDoesNotCertifySendsNothing says what to do instead.
func TestABoxThatTheCentreDoesNotCertifySendsNothing(t *testing.T) {
	b := newBundler(boxconfig.Config{}, environment{}, nil, nil, nil)
	if err := b.ask("f-1"); !errors.Is(err, errElsewhere) {
		t.Errorf("got %v", err)
	}
}

// TestABundleIsSentWithoutWhatTakesTooLong gives up a file that is not made in time, not the whole bundle.
func TestABundleIsSentWithoutWhatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		b := bundler{log: slog.New(slog.DiscardHandler), files: []supportfile.File{{Name: "records.json",
			Make: func(ctx context.Context) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }}},
			send: func(ctx context.Context, _ string, archive []byte) error { sent = len(archive); return ctx.Err() }}
		if err := b.carry(t.Context(), "f-1"); err != nil || sent == 0 {
			t.Errorf("%d bytes were sent: %v", sent, err)
		}
	})
}
