package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"syscall"
	"time"

	strict "github.com/go-json-experiment/json"

	"haochaping/internal/central/cases"
)

// Pull takes short messages from a file to which another program appends them, a line of JSON each, as the webhook has them. It starts at
// the beginning whenever the file is another one, or the program was restarted: what was taken before changes nothing.
type Pull struct {
	Path    string
	Hotline Hotline
	Every   time.Duration
	Logger  *slog.Logger

	at   int64 // of Once alone, as all below
	info os.FileInfo
	said string
	line int
}

// Run looks into the file until ctx ends.
func (p *Pull) Run(ctx context.Context) error {
	for {
		err := p.Once(ctx)
		if err != nil && ctx.Err() == nil && err.Error() != p.said {
			p.said = err.Error()
			p.Logger.Error("short messages are not taken from their file; it is tried again", "file", p.Path, "error", err)
		} else if err == nil {
			p.said = ""
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(p.Every):
		}
	}
}

// Once takes what is new in the file. A line that is not whole yet is left for later, and one that cannot be taken is named in the log,
// without what it says.
func (p *Pull) Once(ctx context.Context) error {
	f, err := os.OpenFile(p.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe is refused, and not waited for
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nobody has written yet
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if p.info == nil || !os.SameFile(p.info, info) || info.Size() < p.at {
		p.at, p.line = 0, 0
	}
	p.info = info
	if _, err := f.Seek(p.at, io.SeekStart); err != nil {
		return err
	}
	const most = 4 << 20 // bytes at once
	b, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return err
	}
	for {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		if !whole {
			if len(b) >= most {
				return fmt.Errorf("line %d is longer than %d bytes", p.line+1, most)
			}
			return nil
		}
		said := line
		if p.at == 0 {
			said = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf")) // with which some programs begin a file
		}
		if err := p.take(ctx, bytes.TrimSpace(said)); err != nil {
			return err
		}
		p.at, p.line, b = p.at+int64(len(line))+1, p.line+1, rest
	}
}

func (p *Pull) take(ctx context.Context, line []byte) error {
	if len(line) == 0 {
		return nil
	}
	var m message
	err := strict.Unmarshal(line, &m, strict.RejectUnknownMembers(true))
	if err != nil {
		err = fmt.Errorf("%w: it is not as /v1/openapi.yaml has it", errInvalid)
	} else {
		_, err = p.Hotline.Take(ctx, cases.Holder{Name: "file"}, m)
	}
	if errors.Is(err, errInvalid) {
		p.Logger.Warn("a short message of the file cannot be taken", "file", p.Path, "line", p.line+1, "error", err)
		return nil
	}
	return err
}
