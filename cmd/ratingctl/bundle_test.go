package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"haochaping/internal/condition"
	"haochaping/internal/opsapi"
	"haochaping/internal/rating"
	"haochaping/internal/windowapi"
	"haochaping/store"
)

// unpacked returns the files of a bundle.
func unpacked(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	zip, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	for archive := tar.NewReader(zip); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		out[h.Name] = string(b)
	}
}

// A bundle has what support needs. Whatever secret or citizen's matter lies in the box, in its files, its configuration, its log or
// what the daemon says, is not in it.
func TestTheBundleDisclosesNothing(t *testing.T) {
	c := newClinic(t)
	c.enrol()
	const plant = "PLANTED"
	stamp := rating.Stamp{Boot: 1}
	db, err := store.Open(filepath.Join(c.state, "log.db"),
		store.Options{Device: "lz-0417", Random: rand.Reader, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	visit := rating.Visit{ID: 7, Window: rating.Window{ID: "A12", Name: plant + "窗口", Hall: "h", Generation: 1},
		Staff:    rating.Staff{ID: plant, Name: plant + "王"},
		Cases:    []rating.Case{{ProjectNo: plant + "-620100", TaskCode: plant, TaskName: plant + "离婚登记", Completed: true}},
		Subjects: []rating.Subject{rating.StaffSubject}, Grouping: rating.Single, Opener: rating.OpenedByPC, WaitSec: 30}
	_, err = db.Append(rating.Body{Kind: rating.KindVisit, At: stamp, Visit: &visit},
		rating.EventBody(stamp, rating.EventSignedIn, "staff", plant))
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	secret, token, err := windowapi.AddToken(filepath.Join(c.state, windowapi.TokensFile), plant+" PC", rand.Reader, wellBox().Started)
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(c.state, "device.key"))
	if err != nil {
		t.Fatal(err)
	}
	c.write(c.password, plant+"password\n")
	c.configure(fmt.Sprintf("# the password is %[1]s\nuplink.broker = \"mqtt://%[1]s:%[1]s@127.0.0.1:1\"\n"+
		"window_api.webhook_url = \"https://hall.example.com/hook/%[1]s?key=%[1]s\"\n"+
		"window_api.webhook_secret_file = \"%[1]s\"\n", plant))
	c.write(filepath.Join(c.dir, "journalctl"), "#!/bin/sh\necho 'time=2026-11-26T08:00:00Z level=WARN msg=\"a part\" part=sound error=\""+
		plant+" 王某\" url=https://x/"+plant+"'\necho '"+plant+" without fields'\n")
	if err := os.Chmod(filepath.Join(c.dir, "journalctl"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", c.dir+":"+os.Getenv("PATH"))
	s := wellBox()
	s.Parts[0].What.EN = `Post "https://u:` + plant + `@hall.example.com/hook/` + plant + `?key=` + plant + `": refused`
	photo := condition.Of("photos.file", "the photo of the staff number "+plant+": invalid JPEG format")
	s.Parts = append(s.Parts, opsapi.Part{Name: "photos", Code: photo.Code, Level: photo.Level, What: photo.What, Means: photo.Means,
		Do: photo.Do})
	s.LastFault = &opsapi.Fault{Part: "photos", Code: photo.Code, What: photo.What}
	answerAt(t, c.dir, &s)
	out := filepath.Join(c.dir, "box.tar.gz")
	if got, err := ratingctl(t, "bundle", "-config", c.config, "-out", out); err != nil || !strings.Contains(got, out) {
		t.Fatalf("%s: %v", got, err)
	}
	files := unpacked(t, out)
	for name, want := range map[string]string{"version.txt": "ratingctl", "status.json": `"code": "photos.file"`, "doctor.txt": "keys",
		"config.json":  "lz-0417",
		"records.json": `"visit": 1`, "log.txt": `level=WARN msg="a part" part=sound`, "system.txt": "Linux"} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s lacks %q:\n%s", name, want, files[name])
		}
	}
	secrets := []string{plant, secret, token.Hash, strings.TrimSpace(string(key)), base64.StdEncoding.EncodeToString(key), "离婚", "王某"}
	for name, text := range files {
		for _, s := range secrets {
			if at := strings.Index(text, s); s != "" && at >= 0 {
				t.Errorf("%s has a secret: …%s…", name, text[max(0, at-60):min(len(text), at+60)])
			}
		}
	}
	info, err := os.Stat(out)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the bundle is %v, %v", info.Mode(), err)
	}
	if _, err := ratingctl(t, "bundle", "-config", c.config, "-out", out); err == nil {
		t.Error("a file that is there was written over")
	}
}
