package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/crash"
	"haochaping/internal/enrolment"
	"haochaping/internal/opsapi"
	"haochaping/internal/supportfile"
	"haochaping/sync/uplink"
	"haochaping/sync/wire"
)

const (
	// bundleTime is how long it may take to collect what support needs, and to send it over a thin line.
	bundleTime = 90 * time.Second
	// collectTime is how much of that the collecting may take: a file that is not made by then says so, and the others are sent.
	collectTime = 25 * time.Second
)

// Errors of the bundle, whose texts go to the centre's page.
var (
	errBundling  = cli.Error("支持包正在上传", "what support needs is being sent already")
	errElsewhere = cli.Error("本机的证书不由中心签发，不能上传支持包；请在本机运行 ratingctl bundle",
		"the box's certificate is not from the centre, which takes no bundle of it; run ratingctl bundle at the box")
	errBundleLarge = cli.Error("支持包太大，没有上传；请在本机运行 ratingctl bundle",
		"the bundle is too large and was not sent; run ratingctl bundle at the box")
)

// bundler sends what support needs when the centre asks for it.
type bundler struct {
	files  []supportfile.File
	send   func(ctx context.Context, command string, archive []byte) error // nil where the centre takes none
	asked  chan string
	answer func(id string, parts []wire.Part, err error)
	log    *slog.Logger
}

func newBundler(cfg boxconfig.Config, env environment, line *centreLine, status func(context.Context) (opsapi.Status, error),
	log *slog.Logger) bundler {
	b := bundler{asked: make(chan string, 1), answer: line.answer, log: log,
		files: supportfile.Box("ratingd "+version(), status, cfg, filepath.Join(cfg.State, "log.db"), env.tail.Log)}
	if cfg.Enrols() {
		b.send = func(ctx context.Context, command string, archive []byte) error {
			key, err := cfg.TLSKey()
			if err != nil {
				return err
			}
			return enrolment.SendBundle(ctx, enrolment.BundleConfig{URL: cfg.Enrol.URL, Device: cfg.Device, Key: key,
				Own: filepath.Join(cfg.State, boxconfig.CertificateFile), Trust: line.trust()}, command, archive)
		}
	}
	return b
}

// ask has the bundle sent, which run does: the uplink waits for nothing.
func (b bundler) ask(command string) error {
	if b.send == nil {
		return errElsewhere
	}
	select {
	case b.asked <- command:
		return uplink.ErrLater
	default:
		return errBundling
	}
}

// run sends bundles until ctx ends.
func (b bundler) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case command := <-b.asked:
			err := crash.Contain(func() error { return b.carry(ctx, command) })
			if err != nil {
				b.log.Warn("what support needs was not sent to the centre, which may ask again", "command", command, "error", err)
			}
			b.answer(command, nil, err)
		}
	}
}

// carry collects a bundle and sends it.
func (b bundler) carry(ctx context.Context, command string) error {
	ctx, cancel := context.WithTimeout(ctx, bundleTime)
	defer cancel()
	var archive bytes.Buffer
	if err := b.collect(ctx, &archive); err != nil {
		return fmt.Errorf("collect what support needs: %w", err)
	}
	if archive.Len() > wire.MaxBundle {
		return errBundleLarge
	}
	b.log.Info("the centre asks for what support needs; it is sent", "command", command, "bytes", archive.Len())
	if err := b.send(ctx, command, archive.Bytes()); err != nil {
		return cli.Because(err, "支持包没有传到中心的登记门", "the bundle did not get to the centre's door")
	}
	return nil
}

// collect writes a bundle, as far as it can be made in time.
func (b bundler) collect(ctx context.Context, to io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, collectTime)
	defer cancel()
	return supportfile.Write(ctx, to, b.files, io.Discard)
}
