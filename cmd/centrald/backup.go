package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"haochaping/internal/central/journal"
	"haochaping/internal/cli"
	"haochaping/internal/condition"
)

// backup writes the journal, while it grows, to a file.
func (c *command) backup(ctx context.Context, args []string) (err error) {
	flags := c.flags("centrald backup FILE")
	if err := cli.Parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	if flags.NArg() != 1 {
		return cli.Usage("centrald backup 需要一个尚不存在的文件名", "centrald backup takes the name of a file that does not exist yet")
	}
	x, err := c.openWritten(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	path := flags.Arg(0)
	if _, err := os.Lstat(path); err == nil {
		return cli.Errorf("%s 已存在，请写另一个文件名", "%s exists; name another file", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".backup-*") // 0600: it holds what citizens have written, under keys that it holds too
	if err != nil {
		return cli.Because(err, "没有备份；"+path+" 所在的文件夹须已存在，本用户须能写入",
			"nothing was backed up; the folder of "+path+" must exist and take files of this account")
	}
	p := c.progress("备份", "backing up")
	head, err := x.journal.Export(ctx, f, x.beside(), p.tell)
	p.End()
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return errors.Join(
		c.say("已写入 %d 行：%s", "%d rows are in %s", head.Rows, path),
		c.say("不包括 %s 和 %s（在 %s 中）；请另行保存这两个密钥，评价器只认它们",
			"not in it: %s and %s of %s; keep copies of the two keys elsewhere, since boxes know no others", keyFile, sealFile, x.cfg.State))
}

// restore makes a journal from a backup, in an empty place.
func (c *command) restore(ctx context.Context, args []string) (err error) {
	flags := c.flags("centrald restore FILE")
	headPath := flags.String("head", "",
		cli.Words("见证方保存的最新签名日志头`文件`；不写则用本机所存的",
			"the latest signed head that a witness kept, a `file`; without it the one that this machine kept, if it did"))
	if err := cli.Parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	if flags.NArg() != 1 {
		return cli.Usage("centrald restore 需要 centrald backup 写出的文件", "centrald restore takes the name of a file that \"centrald backup\" wrote")
	}
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(cfg.State, keyFile)); err != nil {
		return cli.Because(err, fmt.Sprintf("请先把 %s 和 %s 放到 %s：换了密钥，评价器不会相信本中心", keyFile, sealFile, cfg.State),
			fmt.Sprintf("put %s and %s into %s first: with a new key no box would believe this centre", keyFile, sealFile, cfg.State))
	}
	f, err := os.Open(flags.Arg(0))
	if err != nil {
		return cli.Because(err, "没有恢复；请写 centrald backup 写出的文件", "nothing was restored; name a file that \"centrald backup\" wrote")
	}
	defer func() { _ = f.Close() }() // it was read
	x, err := c.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	known, err := x.known(*headPath)
	if err != nil {
		return err
	}
	p := c.progress("恢复", "restoring")
	act, err := x.journal.Import(ctx, f, x.beside(), known, c.operator(), p.tell)
	p.End()
	if errors.Is(err, journal.ErrNotEmpty) {
		return cli.Hint(cli.Error("日志不是空的，没有恢复", "the journal is not empty; nothing was restored"),
			fmt.Sprintf("备份只能恢复到空的位置：先移开数据库（%s 和 %s 及其 -wal、-shm，或服务器上的表）", journalFile, booksFile),
			fmt.Sprintf("a backup is restored into an empty place: set the databases aside first (%s and %s with their -wal and -shm, or the "+
				"tables of the server)", journalFile, booksFile))
	}
	if err != nil {
		return err
	}
	return c.wentOn(ctx, x, act)
}

// known returns the head that was kept: in a file, or beside the database; nil if there is none.
func (x *rooms) known(path string) (*journal.Checkpoint, error) {
	var head journal.Checkpoint
	var err error
	if path != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("-head: %w", err)
		}
		if head, err = journal.ParseCheckpoint(b); err != nil {
			return nil, fmt.Errorf("-head: %w", err)
		}
	} else if head, err = x.keptHead(); err != nil {
		return nil, err
	}
	if head.Size == 0 {
		return nil, nil
	}
	return &head, nil
}

// accept goes on with a database that is older than the head that this machine has kept.
func (c *command) accept(ctx context.Context, args []string) error {
	return c.onWritten(ctx, c.flags("centrald accept"), args, func(x *rooms) error {
		known, err := x.known("")
		if err != nil {
			return err
		}
		nothing := cli.Error("日志与本机所记的日志头一致，无须承认", "the journal is the one whose head this machine has kept; there is nothing to accept")
		if known == nil {
			return nothing
		}
		switch err := x.checkHead(ctx); {
		case err == nil:
			return nothing
		case !errors.Is(err, journal.ErrSeal): // it could not be compared
			return err
		}
		act, err := x.journal.GoOn(ctx, *known, c.operator())
		if err != nil {
			return err
		}
		return c.wentOn(ctx, x, act)
	})
}

// wentOn signs the journal under its new name, and says what happens now.
func (c *command) wentOn(ctx context.Context, x *rooms, act journal.Restored) error {
	head, err := x.journal.Seal(ctx, x.seal)
	if err != nil {
		return err
	}
	if err := writeHead(x.cfg.State, head); err != nil {
		return err
	}
	lost := condition.Text{ZH: "不知道之后的日志头", EN: "no head of a later state is known"}
	if known, err := journal.ParseCheckpoint([]byte(act.LastKnown)); err == nil && known.Size > act.Rows {
		lost = condition.Text{ZH: fmt.Sprintf("签名的日志头表明之后还有 %d 行", known.Size-act.Rows),
			EN: fmt.Sprintf("%d rows came after it, as a head that was signed says", known.Size-act.Rows)}
	}
	return errors.Join(
		c.say("日志从第 %d 行起以 %s 之名继续", "the journal goes on from row %d as %s", act.Rows, act.Origin),
		c.say("%s", "%s", c.lang.Text(lost)),
		c.say("请启动 centrald：它向每台评价器索取仍保存的记录；谁也没有的记录列为异常（centrald findings）",
			"start centrald: it asks each box for what it still holds; what nobody holds any more is a finding (centrald findings)"),
		c.say("请告知见证方：新名称要经其确认（centrald witness -accept-restore %s）",
			"tell the witnesses: they accept the new name only when told (centrald witness -accept-restore %s)", act.Origin))
}

// operator names who runs a command, for the journal.
func (c *command) operator() string {
	if name := os.Getenv("SUDO_USER"); name != "" {
		return "operator " + name
	}
	return fmt.Sprintf("operator uid %d", os.Getuid())
}
