// Package supportfile makes what support needs to look at a box from afar, with nothing in it that could disclose a citizen or a secret.
package supportfile

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/condition"
	"haochaping/internal/opsapi"
	"haochaping/internal/rating"
	"haochaping/store"
)

// File is a file of a bundle.
type File struct {
	Name string
	Make func(context.Context) ([]byte, error)
}

// Box returns what is told of a box: what the daemon says of itself, how it is configured, the records by their kinds, the daemon's log and
// the system. The log of records stands at the path.
func Box(program string, status func(context.Context) (opsapi.Status, error), c boxconfig.Config, path string,
	log func(context.Context) ([]byte, error)) []File {
	return []File{
		{"version.txt", func(context.Context) ([]byte, error) { return []byte(program + "\n"), nil }},
		{"status.json", func(ctx context.Context) ([]byte, error) {
			s, err := status(ctx)
			if err != nil {
				return nil, err
			}
			return encoded(Status(s))
		}},
		{"config.json", func(context.Context) ([]byte, error) { return configuration(c) }},
		{"records.json", func(ctx context.Context) ([]byte, error) { return records(ctx, path) }},
		{"log.txt", log},
		{"system.txt", func(context.Context) ([]byte, error) { return system() }},
	}
}

// Write writes the files as an archive. One that cannot be made says why in its place.
func Write(ctx context.Context, to io.Writer, files []File, progress io.Writer) error {
	zip := gzip.NewWriter(to)
	archive := tar.NewWriter(zip)
	for _, f := range files {
		_, _ = fmt.Fprintf(progress, "%s …\n", f.Name) // nobody may be there to see it
		content, err := f.Make(ctx)
		if err != nil {
			content = append(content, fmt.Sprintf("%T\n", errors.Unwrap(err))...) // its words might quote what it could not read
		}
		content = scrubbed(content)
		header := &tar.Header{Name: f.Name, Mode: 0o600, Size: int64(len(content)), ModTime: time.Now(), Format: tar.FormatPAX}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(content); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), zip.Close())
}

var anAddress = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*)://(?:[^\s"/?#]*@)?([^\s"'/?#]+)[^\s"',，；。）)]*`)

// scrubbed returns a text in which addresses have neither user, password, path nor query.
func scrubbed(b []byte) []byte { return anAddress.ReplaceAll(b, []byte("$1://$2")) }

// named are the parts whose troubles name a person by the number of the staff.
func named() []string { return []string{"photos"} }

// Status returns what the daemon said of itself, and of what could name a person no more than which trouble it is. Of s nothing is changed.
func Status(s opsapi.Status) opsapi.Status {
	s.Parts = slices.Clone(s.Parts)
	for i, part := range s.Parts {
		if slices.Contains(named(), part.Name) && !part.OK {
			s.Parts[i].What = condition.Of(part.Code, "").What
		}
	}
	if s.LastFault != nil && slices.Contains(named(), s.LastFault.Part) {
		f := *s.LastFault
		f.What = condition.Of(f.Code, "").What
		s.LastFault = &f
	}
	return s
}

// encoded returns a value as a file of a bundle has it.
func encoded(v any) ([]byte, error) { return json.MarshalIndent(v, "", "  ") }

// configuration returns the configuration as it was understood, without comments, and of addresses the scheme and host alone. The file that
// all boxes share is in it, and is not told once more as it came.
func configuration(c boxconfig.Config) ([]byte, error) {
	c.Shared, c.SharedFault = nil, nil
	b, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, err
	}
	return encoded(withoutSecrets(v))
}

func withoutSecrets(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, x := range v {
			v[key] = withoutSecrets(x)
			// Who takes a field for a file for the secret itself writes the secret into it.
			if path, ok := x.(string); ok && strings.HasSuffix(key, "File") && path != "" && !strings.HasPrefix(path, "/") {
				v[key] = "(left out)"
			}
		}
	case []any:
		for i, x := range v {
			v[i] = withoutSecrets(x)
		}
	case string:
		if strings.Contains(v, "://") || strings.Contains(v, "@") {
			u, err := url.Parse(v)
			if err != nil || u.Host == "" {
				return "(left out)"
			}
			return u.Scheme + "://" + u.Host
		}
	}
	return v
}

// counts is what is told of a log.
type counts struct {
	Epoch    string         `json:"epoch"`
	Last     uint64         `json:"last"`
	Released uint64         `json:"released"`
	Kinds    map[string]int `json:"kinds"`
	Events   map[string]int `json:"events"` // by their names, without what they hold
}

// records returns how many records of each kind the log at a path holds.
func records(ctx context.Context, path string) ([]byte, error) {
	n, err := store.Inspect(path)
	if err != nil {
		return nil, err
	}
	out := counts{n.Epoch.String(), n.Last, n.Released, make(map[string]int), make(map[string]int)}
	err = n.Records(0, func(r rating.Record, _ []byte) error {
		out.Kinds[string(r.Kind)]++
		if r.Event != nil {
			out.Events[r.Event.Name]++
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("count the records: %w", err)
	}
	return encoded(out)
}

// system returns which system the box runs.
func system() ([]byte, error) {
	release, err := os.ReadFile("/etc/os-release")
	kernel, err2 := os.ReadFile("/proc/version")
	return append(release, kernel...), errors.Join(err, err2)
}

const logLines = "2000"

// toldFields are the fields of the daemon's log that are told. Others may hold an address, a file's content or a name.
func toldFields() []string {
	return []string{"time", "level", "msg", "part", "fault", "code", "means", "do", "tries", "version", "epoch", "boot", "pending", "through",
		"records",
		"first", "last", "seq", "bytes", "limit", "command"}
}

var logField = regexp.MustCompile(`([A-Za-z_]+|"[^"]+")=("(?:[^"\\]|\\.)*"|\S*)`)

// Log returns the last lines of the daemon's log, with the fields that may be told.
func Log(ctx context.Context) ([]byte, error) {
	out, err := exec.CommandContext(ctx, "journalctl", "-u", "ratingd", "-n", logLines, "-o", "cat", "--no-pager").Output()
	if err != nil {
		return nil, fmt.Errorf("journalctl: %w", err)
	}
	return safeLog(out), nil
}

func safeLog(text []byte) []byte {
	var b bytes.Buffer
	for line := range strings.Lines(string(text)) {
		var kept []string
		for _, m := range logField.FindAllStringSubmatch(line, -1) {
			if slices.Contains(toldFields(), m[1]) {
				kept = append(kept, m[0])
			}
		}
		if len(kept) > 0 {
			_, _ = fmt.Fprintln(&b, strings.Join(kept, " "))
		}
	}
	return b.Bytes()
}
