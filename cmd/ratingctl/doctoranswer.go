package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"haochaping/internal/boxconfig"
	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
	"haochaping/sync/uplink"
)

// sampleOf returns a record that the box may send again, nil if there is none or it cannot be read, which checkLog says.
func sampleOf(p *patient) (*uplink.Sample, error) {
	if p.log == nil || p.log.Last == 0 || p.log.Device != p.config.Device {
		return nil, nil
	}
	key, err := os.ReadFile(filepath.Join(p.config.State, boxconfig.IdentityFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	private, err := recordkey.ParsePEM(key)
	if err != nil {
		return nil, err
	}
	out := &uplink.Sample{Key: private, Epoch: p.log.Epoch}
	enough := errors.New("enough")
	err = p.log.Records(max(p.log.Released, p.log.Trimmed+1), func(r rating.Record, raw []byte) error {
		out.Seq, out.Record = r.Seq, bytes.Clone(raw)
		return enough
	})
	if !errors.Is(err, enough) {
		return nil, nil
	}
	return out, nil
}
