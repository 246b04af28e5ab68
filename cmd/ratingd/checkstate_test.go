package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestCheckConfigLooksIntoTheStateFolder has in the state folder what the daemon would not start with, or could not record in.
func TestCheckConfigLooksIntoTheStateFolder(t *testing.T) {
	for name, c := range map[string]struct {
		make func(state string) error
		want string // empty if nothing is wrong
	}{
		"missing":         {func(string) error { return nil }, ""},
		"empty":           {func(state string) error { return os.Mkdir(state, 0o750) }, ""},
		"a link":          {func(state string) error { return os.Symlink(filepath.Dir(state), state) }, ""},
		"a dangling link": {func(state string) error { return os.Symlink("/nowhere/state", state) }, "DIR/state 指向不存在的目录 /nowhere/state"},
		"a file":          {func(state string) error { return os.WriteFile(state, nil, 0o600) }, "state：DIR/state 不是目录"},
		"a log that is a folder": {func(state string) error { return os.MkdirAll(filepath.Join(state, "log.db"), 0o750) },
			"DIR/state/log.db 不是普通文件"},
		"a log that is a pipe": {in("log.db", func(path string) error { return syscall.Mkfifo(path, 0o600) }), "DIR/state/log.db 不是普通文件"},
		"an empty key": {in("device.key", func(path string) error { return os.WriteFile(path, nil, 0o600) }),
			"评价器的私钥 DIR/state/device.key 已损坏"},
		"a key of zeros": {in("device.key", func(path string) error { return os.WriteFile(path, make([]byte, 119), 0o600) }),
			"评价器的私钥 DIR/state/device.key 已损坏"},
		"a key that is a folder": {in("device.key", func(path string) error { return os.Mkdir(path, 0o750) }), "DIR/state/device.key 不是普通文件"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := c.make(filepath.Join(dir, "state")); err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(dir, "ratingd.toml"), checkedConfig+"screen.fonts = []\nwindow_api.listen = \"127.0.0.1:0\"\n"+
				fmt.Sprintf("state = %q\n", filepath.Join(dir, "state")))
			status, said := checkIn(dir)
			if want := strings.ReplaceAll(c.want, "DIR", dir); (status == 78) != (want != "") || !strings.Contains(said, want) {
				t.Errorf("status %d; want %q in\n%s", status, want, said)
			}
			if _, err := os.Stat(filepath.Join(dir, "state", "device.key")); name == "empty" && err == nil {
				t.Error("the check has drawn a key")
			}
		})
	}
}

// in returns what makes something of a name in a state folder.
func in(name string, make func(path string) error) func(state string) error {
	return func(state string) error {
		if err := os.Mkdir(state, 0o750); err != nil {
			return err
		}
		return make(filepath.Join(state, name))
	}
}
