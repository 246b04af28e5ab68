package boxconfig

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestWhoUpdatesBelievesRootsCopyAlone: by whom programs are signed is said by the first shared file and by what its centre has signed
// since. What the daemon's folder holds, a file of another centre, an older one and a broken one change nothing.
func TestWhoUpdatesBelievesRootsCopyAlone(t *testing.T) {
	folder, root := t.TempDir(), rootText(t)
	state, pins := filepath.Join(folder, "state"), filepath.Join(folder, "pins")
	file, own := filepath.Join(folder, "haochaping.toml"), filepath.Join(folder, "ratingd.toml")
	write := func(path string, text []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shared := func(seed byte, revision int, key string) []byte {
		return sharedText(t, seed, root, fmt.Sprintf("enrol.revision = %d\nupdate.key = %q\nupdate.channel = \"trial\"\n", revision, key))
	}
	want := func(key string) {
		t.Helper()
		c, err := ForUpdates(own, pins)
		if err != nil || c.Update.Key != key || c.Update.URL != "https://updates.example.com/apt" {
			t.Errorf("programs are signed by %q and come from %q, want %q; %v", c.Update.Key, c.Update.URL, key, err)
		}
	}
	write(filepath.Join(pins, "x"), nil)
	write(own, fmt.Appendf(nil, "state = %q\nenrol.file = %q\n[update]\nurl = \"https://updates.example.com/apt\"\n", state, file))
	want("") // nothing is shared
	write(filepath.Join(state, SharedFile), shared(2, 9, "daemon's"))
	want("")
	write(file, shared(1, 1, "first"))
	want("first")
	write(file, shared(2, 9, "stranger's"))
	want("first")
	write(file, shared(1, 2, "second"))
	want("second")
	for _, text := range [][]byte{shared(1, 1, "first"), shared(1, 3, "third")[:200], {}} {
		write(file, text)
		want("second")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	want("second")
	write(filepath.Join(pins, SharedFile), append(shared(1, 2, "second"), "update.key = \"x\"\n"...))
	if c, err := ForUpdates(own, pins); err == nil {
		t.Errorf("a pinned copy that was changed is believed: %q", c.Update.Key)
	}
}
