package main

import (
	"context"
	"crypto/ed25519"
	"errors"

	"haochaping/internal/cli"
)

// verified is what "centrald verify -json" prints.
type verified struct {
	Sound   bool `json:"sound"`
	Journal struct {
		Rows     int64    `json:"rows"`
		Sealed   int64    `json:"sealed"` // rows under a signed head
		Heads    int64    `json:"heads"`
		Signed   int64    `json:"signed"`   // batches that their boxes have signed
		Unsigned int64    `json:"unsigned"` // batches of the first version
		Problems []string `json:"problems"`
		More     int      `json:"more"` // problems beyond those
	} `json:"journal"`
	Books struct {
		Pos         int64    `json:"position"` // row of the journal up to which they were compared
		Rows        int64    `json:"rows"`
		Differences []string `json:"differences"`
		More        int64    `json:"more"`
	} `json:"books"`
}

// verify checks the whole journal and that the books are what follows from it.
func (c *command) verify(ctx context.Context, args []string) error {
	flags := c.flags("centrald verify")
	asJSON := flags.Bool("json", false, cli.Words("输出 JSON 对象", "print a JSON object"))
	return c.onWritten(ctx, flags, args, func(x *rooms) error {
		v, err := c.verifyRooms(ctx, x, x.seal.Public().(ed25519.PublicKey), !*asJSON)
		if err != nil {
			return err
		}
		if *asJSON {
			err = c.printJSON(v)
		}
		return errors.Join(err, c.verdict(v, !*asJSON))
	})
}

// verifyRooms looks, and says meanwhile for people what was found.
func (c *command) verifyRooms(ctx context.Context, x *rooms, key ed25519.PublicKey, tell bool) (v verified, err error) {
	p := c.progress("核对日志", "checking the journal")
	a, err := x.journal.Verify(ctx, key, p.tell)
	p.End()
	if err != nil {
		return v, err
	}
	j := &v.Journal
	j.Rows, j.Sealed, j.Heads, j.Signed, j.Unsigned, j.More = a.Rows, a.Sealed, a.Heads, a.Signed, a.Unsigned, a.More
	j.Problems = append([]string{}, a.Problems...)
	if err := x.checkHead(ctx); err != nil {
		j.Problems = append(j.Problems, err.Error())
	}
	if tell {
		if err := c.tellJournal(v); err != nil {
			return v, err
		}
	}
	if err := x.caughtUp(ctx, c.env.stderr); err != nil {
		return v, err
	}
	p = c.progress("核对账本", "checking the books")
	r, err := x.books.Verify(ctx, p.books)
	p.End()
	if err != nil {
		return v, err
	}
	b := &v.Books
	b.Pos, b.Rows, b.More, b.Differences = r.Pos, r.Rows, r.More, append([]string{}, r.Differences...)
	v.Sound = j.Rows > 0 && len(j.Problems)+j.More+len(b.Differences)+int(b.More) == 0
	if tell {
		err = c.tellBooks(v)
	}
	return v, err
}

func (c *command) tellJournal(v verified) error {
	j := v.Journal
	err := c.say("日志：共 %d 行，其中 %d 行在 %d 个签名的日志头之下；%d 批由评价器签名，%d 批来自没有签名的第一版",
		"journal: %d rows, %d of them under %d signed heads; %d batches signed by their boxes, %d of the first version without a signature",
		j.Rows, j.Sealed, j.Heads, j.Signed, j.Unsigned)
	for _, p := range j.Problems {
		err = errors.Join(err, c.say("日志：%s", "journal: %s", p))
	}
	if j.More > 0 {
		err = errors.Join(err, c.say("日志：另有 %d 处", "journal: and %d more", j.More))
	}
	return err
}

func (c *command) tellBooks(v verified) error {
	b := v.Books
	err := c.say("账本：%d 行，与日志第 %d 行为止应得的结果比较", "books: %d rows compared with what follows from the journal up to row %d", b.Rows, b.Pos)
	for _, d := range b.Differences {
		err = errors.Join(err, c.say("账本：%s", "books: %s", d))
	}
	if b.More > 0 {
		err = errors.Join(err, c.say("账本：另有 %d 处", "books: and %d more", b.More))
	}
	return err
}

// verdict returns an error if anything is wrong.
func (c *command) verdict(v verified, tell bool) error {
	inJournal, inBooks := len(v.Journal.Problems)+v.Journal.More, len(v.Books.Differences)+int(v.Books.More)
	switch {
	case inJournal+inBooks > 0:
		return cli.Errorf("日志有 %d 处、账本有 %d 处问题：所列内容在收到之后在数据库中被改动；请与备份和见证方保存的日志头比较；仅账本有问题时 centrald rebuild 可以修复",
			"%d problems of the journal, %d of the books: what is named was changed in the database after it was received; compare with a backup "+
				"and with the heads "+
				"that witnesses keep; the books alone are made right by \"centrald rebuild\"", inJournal, inBooks)
	case v.Journal.Rows == 0:
		return cli.Error("日志是空的，没有核对任何内容；如果不应为空，则备份没有恢复，或这不是本中心的数据库（配置中的 state 和 books）",
			"the journal is empty, so that nothing was verified; if it should not be, a backup was not restored, "+
				"or this is not the centre's database (\"state\" and \"books\" in the configuration)")
	case tell:
		return c.say("核对无误", "verified")
	}
	return nil
}
