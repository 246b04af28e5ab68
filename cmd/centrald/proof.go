package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"haochaping/internal/central/books"
	"haochaping/internal/central/journal"
	"haochaping/internal/cli"
	"haochaping/internal/recordkey"
)

// prove prints the proof that the journal holds an evaluation.
func (c *command) prove(ctx context.Context, args []string) (err error) {
	flags := c.flags("centrald prove ID")
	if err := cli.Parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	id, err := strconv.ParseInt(flags.Arg(0), 10, 64)
	if err != nil || flags.NArg() != 1 || id <= 0 {
		return cli.Usage("centrald prove 需要评价的编号，见中心的页面和 /api/latest（cursor）",
			"centrald prove takes the number of an evaluation, as the centre's page and /api/latest have it (cursor)")
	}
	x, err := c.openWritten(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	pos, part := books.Entry{Cursor: id}.Pos()
	p, err := x.journal.Prove(ctx, pos, part)
	if errors.Is(err, journal.ErrNoEntry) {
		return cli.Errorf("日志中没有编号为 %d 的评价；编号见中心的页面和 /api/latest（cursor）",
			"the journal holds no evaluation with the number %d; the centre's page and /api/latest have it (cursor)", id)
	}
	if err != nil {
		return err
	}
	return c.printJSON(p)
}

// checkProof verifies a proof without the books.
func (c *command) checkProof(args []string) error {
	flags := c.flags("centrald check-proof FILE")
	key := flags.String("seal-key", "",
		cli.Words("中心为日志头签名的`公钥`，43 个字符，由 centrald key -seal 打印",
			"the centre's public `key` for heads, 43 characters, as \"centrald key -seal\" prints it"))
	asJSON := flags.Bool("json", false, cli.Words("以 JSON 对象输出核对结果", "print what was proven as a JSON object"))
	box := flags.String("box-key", "",
		cli.Words("评价器的`公钥`，用于核对某台评价器的签名", "the box's public `key`, if the signature of a certain box is to be checked"))
	if err := cli.Parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	if flags.NArg() != 1 || *key == "" {
		return cli.Usage("centrald check-proof 需要 -seal-key 公钥和 centrald prove 写出的文件",
			"centrald check-proof takes -seal-key KEY and the name of a file that \"centrald prove\" wrote")
	}
	pub, err := parseKey(*key, sealKeyPrinted)
	if err != nil {
		return fmt.Errorf("-seal-key: %w", err)
	}
	b, err := os.ReadFile(flags.Arg(0))
	if err != nil {
		return err
	}
	var p journal.Proof
	if err := json.Unmarshal(b, &p); err != nil {
		return fmt.Errorf("%s is no proof: %w", flags.Arg(0), err)
	}
	plain, err := journal.ParseCheckpoint([]byte(p.Checkpoint))
	if err != nil {
		return fmt.Errorf("%s proves nothing: %w", flags.Arg(0), err)
	}
	v, err := journal.Verifier(plain.Origin, pub)
	if err != nil {
		return err
	}
	head, err := p.Check(v)
	if err == nil && *box != "" {
		err = signedBy(p, *box)
	}
	if err != nil {
		return fmt.Errorf("%s proves nothing: %w", flags.Arg(0), err)
	}
	if *asJSON {
		return c.printJSON(provenOf(p, head))
	}
	_, err = fmt.Fprint(c.env.stdout, describeProof(p, head, c.lang))
	return err
}

func signedBy(p journal.Proof, box string) error {
	key, err := parseBoxKey(box)
	if err != nil {
		return fmt.Errorf("-box-key: %w", err)
	}
	if !bytes.Equal(key, p.Header.Key) {
		return errors.New("it is not signed by this box")
	}
	return p.Header.CheckSignature()
}

// describeProof says what a proof that holds shows.
func describeProof(p journal.Proof, head journal.Checkpoint, lang cli.Lang) string {
	var b strings.Builder
	line := func(zh, en string, args ...any) {
		b.WriteString(lang.Say(fmt.Sprintf(zh, args...), fmt.Sprintf(en, args...)) + "\n")
	}
	line("已证明：%[2]s 的第 %[1]d 行是这份 %[4]s；签名时日志共 %[3]d 行",
		"proven: row %d of %s, which had %d rows when its head was signed, holds this %s", p.Index+1, head.Origin, head.Size, p.Header.Kind)
	line("来自 %s，收到于 %s", "from %s, received %s", p.Header.Source, time.UnixMilli(p.Header.Received).UTC().Format(time.RFC3339Nano))
	switch {
	case p.Header.Kind == journal.Batch && len(p.Header.Signature) > 0:
		line("由公钥为 %s 的评价器签名", "signed by the box with the key %s", recordkey.Text(p.Header.Key))
	case p.Header.Kind == journal.Batch:
		line("没有评价器的签名：来自第一版的账本", "not signed by the box: it comes from books of the first version")
	}
	if utf8.Valid(p.Content) {
		fmt.Fprintf(&b, "%s\n", p.Content)
	}
	return b.String()
}

// proven is what "centrald check-proof -json" prints.
type proven struct {
	Origin   string    `json:"origin"`
	Row      int64     `json:"row"`
	Rows     int64     `json:"rows"` // of the journal when its head was signed
	Kind     string    `json:"kind"`
	Source   string    `json:"source"`
	Received time.Time `json:"received"`
	BoxKey   string    `json:"box_key,omitempty"` // that has signed it
	Content  []byte    `json:"content"`           // as it came, in base64
}

func provenOf(p journal.Proof, head journal.Checkpoint) proven {
	out := proven{Origin: head.Origin, Row: int64(p.Index) + 1, Rows: int64(head.Size), Kind: string(p.Header.Kind), Source: p.Header.Source,
		Received: time.UnixMilli(p.Header.Received).UTC(), Content: p.Content}
	if len(p.Header.Signature) > 0 {
		out.BoxKey = recordkey.Text(p.Header.Key)
	}
	return out
}

// erase destroys the key of a text.
func (c *command) erase(ctx context.Context, args []string) (err error) {
	flags := c.flags("centrald erase ID")
	reason := flags.String("reason", "", cli.Words("`原因`，供日后查看；必填", "`why`, for whoever looks later; mandatory"))
	if err := cli.Parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	id, err := strconv.ParseInt(flags.Arg(0), 10, 64)
	if err != nil || flags.NArg() != 1 || id <= 0 || *reason == "" {
		return cli.Usage("centrald erase 需要 -reason 原因和评价的编号，见中心的页面（cursor）",
			"centrald erase takes -reason WHY and the number of an evaluation, as the centre's page has it (cursor)")
	}
	x, err := c.openWritten(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	pos, part := books.Entry{Cursor: id}.Pos()
	if err := x.journal.Erase(ctx, pos, part, c.operator(), *reason); err != nil {
		return cli.Because(err, fmt.Sprintf("评价 %d 的文字没有销毁；编号见中心的页面（cursor），该评价须写有文字", id),
			fmt.Sprintf("the text of evaluation %d was not erased; look for its number on the centre's page (cursor), and whether it has a text",
				id))
	}
	return errors.Join(
		c.say("评价 %d 的文字已无法读取；评分和时间保留", "the text of evaluation %d cannot be read any more; its level and times stand", id),
		c.say("之前的备份仍有其密钥：请另做备份，销毁旧的", "backups that were made before still hold its key: make a new one, and destroy those"))
}
