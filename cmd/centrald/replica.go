package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"haochaping/internal/central/books"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/policy"
	"haochaping/internal/central/replica"
	"haochaping/internal/central/witness"
	"haochaping/internal/cli"
)

// sealPages returns what is shown of the journal's seal: to everybody what a witness needs and the policies, and the rows to those
// who may copy them.
func sealPages(cfg sealConfig, x *rooms, log *slog.Logger) http.Handler {
	m := http.NewServeMux()
	m.Handle("/", witness.Handler(x.journal))
	m.Handle("/policies", policy.Handler(x.policy))
	if cfg.TokensFile != "" {
		m.Handle("/copy/", http.StripPrefix("/copy", replica.Handler(x.journal, tokens{cfg.TokensFile, log}.knows, log)))
	}
	return m
}

// replica copies another centre's journal, or verifies the copy.
func (c *command) replica(ctx context.Context, args []string) (err error) {
	flags := c.flags("centrald replica URL")
	key := flags.String("seal-key", "",
		cli.Words("对方中心为日志头签名的`公钥`，由对方的 centrald key -seal 打印；必填",
			"that centre's public `key` for heads, as \"centrald key -seal\" prints it there; mandatory"))
	folder := flags.String("folder", "",
		cli.Words("存放副本、账本和被拒内容的`文件夹`；必填", "where the copy and its books are, and what was refused; mandatory"))
	at := flags.String("books", "",
		cli.Words("副本和账本专用的 PostgreSQL `数据库`，如 postgres://…；不写则为 -folder 中的文件",
			"a PostgreSQL `database` of its own for copy and books, as postgres://…; empty: files in -folder"))
	token := flags.String("token-file", "",
		cli.Words("令牌`文件`，对方中心在 seal.tokens_file 中登记了它", "`file` with the token that the centre knows by seal.tokens_file"))
	once := flags.Bool("once", false, cli.Words("复制已有的内容后退出", "copy what is there and end"))
	every := flags.Duration("every", time.Minute, cli.Words("查看的`间隔`", "how `often` to look"))
	accept := flags.String("accept-restore", "",
		cli.Words("对方说明恢复备份的原因后，让日志以此`名称`继续",
			"let the journal go on after a restore under this `name`, once its operator has said why"))
	verify := flags.Bool("verify", false,
		cli.Words("只核对副本、重做账本并比较；有差异时状态为 1",
			"verify the copy, make its books and compare them, instead; status 1 if something differs"))
	asJSON := flags.Bool("json", false, cli.Words("与 -verify 同用：输出 JSON 对象", "with -verify: print a JSON object"))
	if err := cli.Parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	if *asJSON && !*verify {
		return cli.Usage("-json 只与 -verify 同用", "-json goes with -verify alone")
	}
	if *key == "" || *folder == "" || *every < time.Second || *verify != (flags.NArg() == 0) ||
		!*verify && (*token == "" || flags.NArg() != 1) {
		return cli.Usage("centrald replica 需要 -seal-key 公钥、-folder 文件夹、-token-file 令牌文件和中心封存日志的地址，如 "+
			"https://centre.example.com/seal；核对已复制的日志时用 -verify，不写地址",
			"centrald replica takes -seal-key KEY, -folder FOLDER, -token-file FILE and the address of a centre's seal, as "+
				"https://centre.example.com/seal; or -verify and no address, to verify what was copied")
	}
	if !*verify {
		bad := func(_, zh, en string, args ...any) {
			err = errors.Join(err, &cli.UsageError{Err: cli.Errorf(zh, en, args...)})
		}
		checkOutward(bad, "", flags.Arg(0), "https://centre.example.com/seal", "gateway")
		if err != nil {
			return err
		}
	}
	pub, err := parseKey(*key, sealKeyPrinted)
	if err != nil {
		return fmt.Errorf("-seal-key: %w", err)
	}
	x, err := c.openReplica(ctx, *folder, *at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	if *verify {
		return c.verifyReplica(ctx, x, pub, *asJSON)
	}
	secret, err := os.ReadFile(*token)
	if err != nil {
		return fmt.Errorf("-token-file: %w", err)
	}
	f := &replica.Follower{URL: flags.Arg(0) + "/copy", Token: string(bytes.TrimSpace(secret)), Journal: x.journal, Folder: *folder,
		Client: &http.Client{}, AcceptOrigin: *accept,
		Verifier: func(origin string) (note.Verifier, error) { return journal.Verifier(origin, pub) }}
	return c.follow(ctx, f, *once, *every)
}

// follow copies until ctx ends, or what the centre shows cannot go on from the copy. A line that breaks is tried again.
func (c *command) follow(ctx context.Context, f *replica.Follower, once bool, every time.Duration) error {
	kept, err := replica.Read(f.Folder)
	if err != nil {
		return err
	}
	status := replica.Status{}
	if kept.Status != nil {
		status = *kept.Status
	}
	status.URL, status.Every = strings.TrimSuffix(f.URL, "/copy"), every
	for {
		head, more, err := f.Step(ctx)
		if ctx.Err() != nil {
			return nil
		}
		status = status.After(head, more, err, c.env.now())
		if err := status.Keep(f.Folder); err != nil { // the copy is worth more than what is said of it
			_, _ = fmt.Fprintln(c.env.stderr, "centrald replica:", err)
		}
		switch {
		case errors.Is(err, replica.ErrChanged):
			return cli.Hint(err, "已复制的行没有改动，被拒绝的日志头在文件夹中：两者都是证据，请保存并询问该中心",
				"the copy is as it was, and the head that was refused is in the folder: keep both as evidence, and ask that centre")
		case errors.Is(err, replica.ErrOtherOrigin):
			return cli.Hint(err, "请询问该中心为何恢复备份；理由成立时，用 -accept-restore 新名称 再运行",
				"ask that centre why a backup was restored; if the answer is a good one, run it again with -accept-restore and the new name")
		case err != nil && once:
			return err
		case err != nil: // the line or the centre may be away for a while
			_, _ = fmt.Fprintln(c.env.stderr, "centrald replica:", err)
		case more:
			if err := c.say("已复制到第 %d 行（%s）", "copied up to row %d (%s)", head.Size, head.Origin); err != nil {
				return err
			}
			continue
		}
		if once || !pause(ctx, every) {
			return nil
		}
	}
}

// openReplica opens a copy and its books, and begins empty ones if there are none.
func (c *command) openReplica(ctx context.Context, folder, at string) (x *rooms, err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("create the folder of the copy: %w", err)
	}
	x = &rooms{cfg: config{State: folder, Books: booksURL(cmp.Or(at, "sqlite:")), LogLevel: logLevel(slog.LevelWarn)}, holder: "replica"}
	defer func() {
		if err != nil {
			err = errors.Join(err, x.Close())
		}
	}()
	first, second := x.cfg.places()
	d, err := x.database(ctx, first)
	if err != nil {
		return nil, err
	}
	log := c.logger(x.cfg)
	// Nothing is encrypted in a copy, so that its key opens nothing.
	x.journal, err = journal.Open(ctx, journal.Config{DB: d, Secret: make([]byte, 32), Random: c.env.random, Now: c.env.now, Logger: log,
		Copied: true})
	if err != nil {
		return nil, err
	}
	both := d
	if second != first {
		if both, err = x.database(ctx, second); err != nil {
			return nil, err
		}
	}
	x.books, err = books.Open(ctx, books.Config{DB: both, Journal: x.journal, Holder: x.holder, Now: c.env.now, Logger: log})
	return x, err
}

// verifyReplica checks a copy as "centrald verify" checks a journal, and the books that follow from it.
func (c *command) verifyReplica(ctx context.Context, x *rooms, key ed25519.PublicKey, asJSON bool) error {
	v, err := c.verifyRooms(ctx, x, key, !asJSON)
	if err != nil {
		return err
	}
	if asJSON {
		err = c.printJSON(v)
	}
	told := errors.Join(err, c.verdict(v, !asJSON))
	result := replica.Verification{At: c.env.now(), Sound: told == nil}
	if told != nil {
		result.Words = told.Error()
	}
	return errors.Join(told, result.Keep(x.cfg.State))
}
