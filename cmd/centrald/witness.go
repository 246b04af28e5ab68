package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"haochaping/internal/central/journal"
	"haochaping/internal/central/witness"
	"haochaping/internal/cli"
)

// witness follows another centre's journal.
func (c *command) witness(ctx context.Context, args []string) error {
	flags := c.flags("centrald witness URL")
	key := flags.String("seal-key", "",
		cli.Words("对方中心为日志头签名的`公钥`，由对方的 centrald key -seal 打印；必填",
			"that centre's public `key` for heads, as \"centrald key -seal\" prints it there; mandatory"))
	folder := flags.String("folder", "witness", cli.Words("保存日志头和本见证方密钥的`文件夹`", "where the heads and this witness's key are kept"))
	name := flags.String("name", "witness", cli.Words("副署日志头所用的`名称`", "the `name` under which heads are countersigned"))
	once := flags.Bool("once", false, cli.Words("查看一次后退出", "look once and end"))
	every := flags.Duration("every", time.Minute, cli.Words("查看的`间隔`", "how `often` to look"))
	accept := flags.String("accept-restore", "",
		cli.Words("对方说明恢复备份的原因后，让日志以此`名称`继续；以后的恢复另有名称",
			"let the journal go on after a restore under this `name`, once its operator has said why; a later restore has another name"))
	if err := cli.Parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	if flags.NArg() != 1 || *key == "" || *every < time.Second {
		return cli.Usage("centrald witness 需要 -seal-key 公钥和中心封存日志的地址，如 https://centre.example.com/seal",
			"centrald witness takes -seal-key KEY and the address of a centre's seal, as https://centre.example.com/seal")
	}
	pub, err := parseKey(*key, sealKeyPrinted)
	if err != nil {
		return fmt.Errorf("-seal-key: %w", err)
	}
	own, err := keptKey(filepath.Join(*folder, "witness.key"), c.env.random)
	if err != nil {
		return err
	}
	f := witness.Follower{URL: flags.Arg(0), Folder: *folder, Signer: journal.NewSigner(*name, own), Client: &http.Client{},
		AcceptOrigin: *accept,
		Verifier:     func(origin string) (note.Verifier, error) { return journal.Verifier(origin, pub) }}
	for {
		a, err := f.Step(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, witness.ErrInconsistent), errors.Is(err, witness.ErrOtherOrigin), *once && err != nil:
			return err
		case err != nil: // the centre may be away for a while
			_, _ = fmt.Fprintln(c.env.stderr, "centrald witness:", err)
		default:
			if err := c.sayAccepted(a); err != nil {
				return err
			}
		}
		if *once || !pause(ctx, *every) {
			return nil
		}
	}
}

func (c *command) sayAccepted(a witness.Accepted) error {
	if a.Before.Origin == a.Origin && a.Before.Size == a.Size {
		return nil
	}
	text := fmt.Sprintf("%s: %d rows, going on from %d\n", a.Origin, a.Size, a.Before.Size)
	if a.Unaware {
		text += "the centre did not know of the head that this witness knows, and names less than was lost: " +
			"give its operator the head (the greatest of the old name in the folder)\n"
	}
	switch {
	case a.Lost == witness.SomeLost:
		text += "some of the rows that were known are not there any more\n"
	case a.Lost > 0:
		text += fmt.Sprintf("%d rows that were known are not there any more\n", a.Lost)
	}
	_, err := fmt.Fprint(c.env.stdout, text)
	return err
}

// pause waits and reports whether ctx still holds.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
