package supportfile

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"haochaping/internal/boxconfig"
	"haochaping/internal/condition"
	"haochaping/internal/opsapi"
	"haochaping/internal/rating"
	"haochaping/store"
)

// A file that cannot be made says so in its place by the kind of the error alone, and the others are there.
func TestAFileThatCannotBeMadeTellsNoMore(t *testing.T) {
	var archive bytes.Buffer
	err := Write(t.Context(), &archive, []File{
		{"broken.txt", func(context.Context) ([]byte, error) { return nil, fmt.Errorf("PLANTED: %w", io.ErrUnexpectedEOF) }},
		{"address.txt", func(context.Context) ([]byte, error) {
			return []byte("post https://u:PLANTED@hall.example.com/PLANTED?key=PLANTED failed"), nil
		}},
	}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(&archive)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for files := tar.NewReader(zip); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		got[h.Name] = string(b)
	}
	for name, want := range map[string]string{"broken.txt": "*errors.errorString\n", "address.txt": "post https://hall.example.com failed"} {
		if got[name] != want {
			t.Errorf("%s: %q, not %q", name, got[name], want)
		}
	}
}

// The file that all boxes share may name addresses with passwords: nothing of it is told as it came.
func TestConfigurationTellsNothingOfTheSharedFile(t *testing.T) {
	c := boxconfig.Config{Device: "lz-1", State: "/var/lib/ratingd",
		Shared: []byte(`window_api.webhook_url = "https://u:PLANTED@hall.example.com/PLANTED"`)}
	told, err := configuration(c)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(told, []byte(c.State)) {
		t.Errorf("it does not tell where the state is: %s", told)
	}
	for word := range strings.FieldsFuncSeq(string(told), func(r rune) bool { return r == '"' }) {
		if plain, err := base64.StdEncoding.DecodeString(word); err == nil && bytes.Contains(plain, []byte("PLANTED")) {
			t.Errorf("it tells %s", plain)
		}
	}
}

// Whoever ends the daemon waits for no long log to be read.
func TestCountingRecordsEndsWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	l, err := store.Open(path, store.Options{Device: "lz-1", Random: rand.Reader, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Append(rating.EventBody(rating.Stamp{Boot: 1}, rating.EventSignedIn, "staff", "1001"))
	if err = errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if told, err := records(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("got %s, %v", told, err)
	}
}

// A tail begins with a whole line, also when it was cut a moment ago, or a line was longer than all its room.
func TestATailBeginsWithAWholeLine(t *testing.T) {
	line := `error="` + strings.Repeat("y", 997) + ` code=PLANTED ` + strings.Repeat("z", 10) + `"` + "\n"
	for name, lines := range map[string][]string{
		"many lines":    slices.Repeat([]string{line}, 2*tailRoom/len(line)+1),
		"one long line": {`error="` + strings.Repeat("x", 2*tailRoom) + ` code=PLANTED"` + "\n"},
	} {
		tail := new(Tail)
		for _, l := range lines {
			_, _ = tail.Write([]byte(l))
		}
		if told, _ := tail.Log(t.Context()); bytes.Contains(told, []byte("PLANTED")) {
			t.Errorf("%s: it tells %s", name, told)
		}
		_, _ = tail.Write([]byte("msg=well\n"))
		if told, _ := tail.Log(t.Context()); !bytes.HasSuffix(told, []byte("msg=well\n")) {
			t.Errorf("%s: it lacks the last line", name)
		}
	}
}

// What the daemon goes on to use is not what the bundle left words out of.
func TestStatusLeavesTheDaemonsAlone(t *testing.T) {
	photo := condition.Of("photos.file", "PLANTED")
	given := opsapi.Status{LastFault: &opsapi.Fault{Part: "photos", Code: photo.Code, What: photo.What}}
	given.Parts = []opsapi.Part{{Name: "photos", Code: photo.Code, What: photo.What}}
	told := Status(given)
	if s := fmt.Sprint(told.Parts, *told.LastFault); strings.Contains(s, "PLANTED") {
		t.Errorf("the bundle tells %s", s)
	}
	if !strings.Contains(given.Parts[0].What.EN, "PLANTED") || !strings.Contains(given.LastFault.What.EN, "PLANTED") {
		t.Errorf("the daemon's own words are gone: %v", given)
	}
}

// Whatever a field of the log holds that may not be told, it is not told.
func FuzzLogTellsNoOtherField(f *testing.F) {
	for _, s := range []string{"", " 王某", `" msg="`, "a\nmsg=", `\" level=`, "=", "msg=x", "\x00\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		const plant = "PLANTED"
		var line bytes.Buffer
		slog.New(slog.NewTextHandler(&line, nil)).Warn("a part", "error", s+plant+s, "part", "sound", "url", plant+s, "two words", plant+s)
		told := string(safeLog(line.Bytes()))
		if strings.Contains(told, plant) {
			t.Errorf("%q of %q", told, line.String())
		}
		if !strings.Contains(told, `level=WARN msg="a part" part=sound`) {
			t.Errorf("%q lacks what may be told of %q", told, line.String())
		}
	})
}

// Whatever stands in a password of an address is not told.
func TestNoPartOfAPasswordIsTold(t *testing.T) {
	for _, password := range []string{"PLANTED", "a@PLANTED", "PLANTED@b", "it's-PLANTED", "x:PLANTED", "a,PLANTED", "PLANTED；b"} {
		text := `msg="post https://u:` + password + `@hall.example.com:8443/x failed; https://other.example.com/y"`
		want := `msg="post https://hall.example.com:8443 failed; https://other.example.com"`
		if got := string(scrubbed([]byte(text))); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}
