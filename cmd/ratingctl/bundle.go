package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
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
	"haochaping/internal/cli"
	"haochaping/internal/condition"
	"haochaping/internal/opsapi"
	"haochaping/internal/rating"
	"haochaping/store"
)

const bundleUsage = `ratingctl bundle collects in one file what support needs to look at a box from afar: how its parts are, what doctor
finds, the configuration as it was understood, the daemon's log, and how many records of each kind there are.

It holds no record, no name of a case, matter or person, no password, token or key. Look at it before you send it: tar -tzf FILE

`

// bundled is a file of a bundle.
type bundled struct {
	name string
	make func(context.Context) ([]byte, error)
}

// bundle writes what support needs, and nothing that could disclose a citizen or a secret: each file says what may be in it, and leaves
// out all else.
func bundle(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("ratingctl bundle", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		_, _ = io.WriteString(stderr, bundleUsage)
		flags.PrintDefaults()
	}
	out := flags.String("out", "", "the `file` to write, .tar.gz; empty: ratingctl-DEVICE.tar.gz here")
	c, err := parsedConfig(flags, args)
	if err != nil || c == nil {
		return err
	}
	if *out == "" {
		*out = "ratingctl-" + string(c.Device) + ".tar.gz"
	}
	file, err := os.OpenFile(*out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return cli.Hint(err, "用 -out 写另一个文件名；已有的文件不会被覆盖", "name another file with -out; one that is there is not written over")
	}
	lang := cli.LangOf(ctx)
	if err := errors.Join(writeBundle(ctx, file, bundleFiles(*c), stderr), file.Close()); err != nil {
		return errors.Join(err, os.Remove(*out))
	}
	_, err = fmt.Fprintf(stdout, "%s: %s: tar -tzf %[1]s\n", *out, lang.Say("请查看后再发送", "look at it before you send it"))
	return err
}

// writeBundle writes the files. One that cannot be made says why in its place.
func writeBundle(ctx context.Context, to io.Writer, files []bundled, progress io.Writer) error {
	zip := gzip.NewWriter(to)
	archive := tar.NewWriter(zip)
	for _, f := range files {
		_, _ = fmt.Fprintf(progress, "%s …\n", f.name) // nobody may be there to see it
		content, err := f.make(ctx)
		if err != nil {
			content = append(content, fmt.Sprintf("%T\n", errors.Unwrap(err))...) // its words might quote what it could not read
		}
		content = scrubbed(content)
		header := &tar.Header{Name: f.name, Mode: 0o600, Size: int64(len(content)), ModTime: time.Now(), Format: tar.FormatPAX}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(content); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), zip.Close())
}

var anAddress = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*)://(?:[^\s"'/@]*@)?([^\s"'/?#]+)[^\s"',，；。）)]*`)

// scrubbed returns a text in which addresses have neither user, password, path nor query.
func scrubbed(b []byte) []byte { return anAddress.ReplaceAll(b, []byte("$1://$2")) }

func bundleFiles(c boxconfig.Config) []bundled {
	indented := func(v any, err error) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		return json.MarshalIndent(v, "", "  ")
	}
	return []bundled{
		{"version.txt", func(context.Context) ([]byte, error) { return []byte("ratingctl " + version() + "\n"), nil }},
		{"status.json", func(ctx context.Context) ([]byte, error) { return indented(bundledStatus(ctx, c)) }},
		{"doctor.txt", func(ctx context.Context) ([]byte, error) { return bundledDoctor(ctx, c), nil }},
		{"config.json", func(context.Context) ([]byte, error) { return indented(safeConfig(c)) }},
		{"records.json", func(context.Context) ([]byte, error) { return indented(countRecords(logPath(c))) }},
		{"log.txt", func(ctx context.Context) ([]byte, error) { return daemonsLog(ctx) }},
		{"system.txt", func(context.Context) ([]byte, error) {
			release, err := os.ReadFile("/etc/os-release")
			kernel, err2 := os.ReadFile("/proc/version")
			return append(release, kernel...), errors.Join(err, err2)
		}},
	}
}

// named are the parts whose troubles name a person by the number of the staff.
func named() []string { return []string{"photos"} }

// bundledStatus returns what the daemon says of itself, and of what could name a person no more than which trouble it is.
func bundledStatus(ctx context.Context, c boxconfig.Config) (opsapi.Status, error) {
	s, err := askBox(ctx, c)
	for i, part := range s.Parts {
		if slices.Contains(named(), part.Name) && !part.OK {
			s.Parts[i].What = condition.Of(part.Code, "").What
		}
	}
	if f := s.LastFault; f != nil && slices.Contains(named(), f.Part) {
		f.What = condition.Of(f.Code, "").What
	}
	return s, err
}

// unbundled are the checks whose words could hold a name or a line of the configuration; of these only the mark is told.
func unbundled() []string { return []string{"text", "config", "window"} }

func bundledDoctor(ctx context.Context, c boxconfig.Config) []byte {
	p := &patient{config: c}
	if s, err := bundledStatus(ctx, c); err != nil {
		p.silent = err
	} else {
		p.status = &s
	}
	p.log, p.logErr = store.Inspect(logPath(c))
	var b bytes.Buffer
	for _, k := range append(checks(), optionalChecks(p)...) {
		f := k.look(ctx, p)
		if slices.Contains(unbundled(), k.name) {
			f = finding{mark: f.mark}
		}
		_, _ = b.WriteString(f.text(k, cli.Both))
	}
	return b.Bytes()
}

// safeConfig returns the configuration as it was understood, without comments, and of addresses the scheme, host and path alone.
func safeConfig(c boxconfig.Config) (any, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, err
	}
	return withoutSecrets(v), nil
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

// recordCounts is what is told of a log.
type recordCounts struct {
	Epoch    string         `json:"epoch"`
	Last     uint64         `json:"last"`
	Released uint64         `json:"released"`
	Kinds    map[string]int `json:"kinds"`
	Events   map[string]int `json:"events"` // by their names, without what they hold
}

func countRecords(path string) (recordCounts, error) {
	n, err := store.Inspect(path)
	if err != nil {
		return recordCounts{}, err
	}
	out := recordCounts{n.Epoch.String(), n.Last, n.Released, make(map[string]int), make(map[string]int)}
	err = n.Records(0, func(r rating.Record, _ []byte) error {
		out.Kinds[string(r.Kind)]++
		if r.Event != nil {
			out.Events[r.Event.Name]++
		}
		return nil
	})
	return out, err
}

const logLines = "2000"

// toldFields are the fields of the daemon's log that are told. Others may hold an address, a file's content or a name.
func toldFields() []string {
	return []string{"time", "level", "msg", "part", "fault", "code", "means", "do", "tries", "version", "epoch", "boot", "pending", "through",
		"records",
		"first", "last", "seq", "bytes", "limit", "command"}
}

var logField = regexp.MustCompile(`([A-Za-z_]+|"[^"]+")=("(?:[^"\\]|\\.)*"|\S*)`)

// daemonsLog returns the last lines of the daemon's log, with the fields that may be told.
func daemonsLog(ctx context.Context) ([]byte, error) {
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
