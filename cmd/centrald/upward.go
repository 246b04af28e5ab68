package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/upward"
	pages "haochaping/internal/central/web/upward"
	"haochaping/internal/cli"
	"haochaping/internal/guomi"
	"haochaping/internal/keptfile"
	"haochaping/internal/rating"
	"haochaping/internal/tomlfile"
)

// upwardFile is the SM2 key in the state folder, by which a superior system knows what is ours.
const upwardFile = "upward.key"

type upwardConfig struct {
	Table    string `toml:"table"` // empty: nothing goes upward
	URL      string `toml:"url"`   // empty: there is the feed alone
	App      string `toml:"app"`
	TheirKey string `toml:"their_key"`
	CAFile   string `toml:"ca_file"`
	CertFile string `toml:"cert_file"`
	KeyFile  string `toml:"key_file"`
	Since    string `toml:"since"`
}

// check reports what is wrong, but for what lies in files.
func (u upwardConfig) check(bad tomlfile.Report) {
	if _, err := u.since(); err != nil {
		bad("upward.since", "%[1]q 不是日期；请写成 2027-01-01", "%[1]q is no day; write it as 2027-01-01", u.Since)
	}
	if (u.CertFile == "") != (u.KeyFile == "") {
		bad("upward.cert_file", "证书和私钥要一起写；都写，或都不写", "a certificate and its key go together; write both or neither")
	}
	if u.URL == "" {
		return
	}
	if u.Table == "" {
		bad("upward.url",
			"不知道对方要哪些字段；请写对照表 upward.table",
			"nobody knows which fields are wanted there; write the table, upward.table")
	}
	checkOutward(bad, "upward.url", u.URL, "https://server.example.com/api", "TLCP gateway")
	if u.App == "" {
		bad("upward.app", "没有写；应用标识由上级系统发放", "missing; the superior system gives out an application mark")
	}
	if _, err := guomi.ParsePublic(u.TheirKey); err != nil {
		bad("upward.their_key", "不是 SM2 公钥；请写上级系统发放的 130 个十六进制数字",
			"it is no public key of SM2; write the 130 hex digits that the superior system gives out")
	}
}

func (u upwardConfig) since() (time.Time, error) {
	if u.Since == "" {
		return time.Time{}, nil
	}
	return time.ParseInLocation(time.DateOnly, u.Since, rating.Shanghai())
}

// checkFiles reads what the configuration names, and the key if there is one, and says what is wrong with which.
func (u upwardConfig) checkFiles(state string) (field, path string, err error) {
	if u.Table == "" {
		return "", "", nil
	}
	if _, err := upward.Load(u.Table); err != nil {
		return "upward.table", u.Table, err
	}
	key := filepath.Join(state, upwardFile)
	if _, err := readUpwardKey(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "upward", key, err
	}
	_, err = u.transport()
	return "upward.ca_file", u.CAFile, err
}

// transport returns how the superior system is reached.
func (u upwardConfig) transport() (*http.Transport, error) {
	t, err := outward(u.CAFile)
	if err != nil {
		return nil, err
	}
	if u.CertFile != "" {
		own := &renewed{certFile: u.CertFile, keyFile: u.KeyFile, now: time.Now}
		if _, err := own.certificate(nil); err != nil {
			return nil, err
		}
		t.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own.certificate(nil) }
	}
	return t, nil
}

// openUpward opens the room of what goes upward, nil where nothing does.
func (c *command) openUpward(ctx context.Context, x *rooms, d *db.DB, log *slog.Logger) (*upward.Room, error) {
	u := x.cfg.Upward
	if u.Table == "" {
		return nil, nil
	}
	table, err := upward.Load(u.Table)
	if err != nil {
		return nil, &configurationError{fmt.Errorf("upward.table: %w", err)}
	}
	since, err := u.since()
	if err != nil {
		return nil, fmt.Errorf("upward.since: %w", err)
	}
	return upward.Open(ctx, upward.Config{DB: d, Journal: x.journal, Books: x.books, Directory: x.directory, Table: table, Since: since,
		Holder: x.holder, Now: c.env.now, Logger: log})
}

// keepUpward has what goes upward follow the books.
func (x *rooms) keepUpward(ctx context.Context) error {
	if x.upward == nil {
		return idle(ctx)
	}
	return x.upward.Run(ctx)
}

// upwardPages is the configuration of the pages.
func (x *rooms) upwardPages() pages.Config {
	if x.upward == nil {
		return pages.Config{}
	}
	return pages.Config{Room: x.upward, Sends: x.cfg.Upward.URL != ""}
}

// upwardPush returns what sends to the superior system until its context ends.
func (c *command) upwardPush(x *rooms, log *slog.Logger) (func(context.Context) error, error) {
	u := x.cfg.Upward
	if u.URL == "" {
		return idle, nil
	}
	key, err := keptUpwardKey(filepath.Join(x.cfg.State, upwardFile), c.env.random)
	if err != nil {
		return nil, err
	}
	theirs, err := guomi.ParsePublic(u.TheirKey)
	if err != nil {
		return nil, fmt.Errorf("upward.their_key: %w", err)
	}
	way, err := u.transport()
	if err != nil {
		return nil, fmt.Errorf("upward.ca_file: %w", err)
	}
	if x.upward.Table().Assumed {
		log.Warn("the table of the superior system's interface is an assumption; compare it with the interface's own text", "table", u.Table)
	}
	p := upward.Push{Room: x.upward, Post: upward.NewPost(u.URL, way), App: u.App, Key: key, Theirs: theirs, Random: c.env.random, Logger: log}
	return p.Run, nil
}

// keptUpwardKey returns the key in a file, and draws it at the first use. Two processes that start at once agree on one.
func keptUpwardKey(path string, random io.Reader) (guomi.Key, error) {
	key, err := readUpwardKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if key, err = guomi.NewKey(random); err != nil {
		return key, err
	}
	text, err := key.PEM()
	if err != nil {
		return key, err
	}
	if err := keptfile.Create(path, text); err != nil && !errors.Is(err, fs.ErrExist) {
		return key, fmt.Errorf("create the key %s: %w", path, err)
	}
	return readUpwardKey(path)
}

func readUpwardKey(path string) (guomi.Key, error) {
	text, err := keptfile.ReadPrivate("the key for the superior system", path)
	if err != nil {
		return guomi.Key{}, err
	}
	key, err := guomi.ParseKey(text)
	if err != nil {
		return key, fmt.Errorf("the key for the superior system %s is damaged: %w; restore it from the backup, since the superior "+
			"system knows no other", path, err)
	}
	return key, nil
}

// upward prints the public key, or a table.
func (c *command) upward(ctx context.Context, args []string) error {
	return c.oneOf(ctx, "centrald upward", args, []word{{"key", c.printUpwardKey}, {"table", c.printTable}})
}

func (c *command) printUpwardKey(_ context.Context, args []string) error {
	flags := c.flags("centrald upward key")
	asJSON := flags.Bool("json", false, cli.Words("输出 JSON 对象", "print a JSON object"))
	if err := cli.Parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	if flags.NArg() > 0 {
		return cli.Unexpected(flags.Arg(0))
	}
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cfg.State, 0o700); err != nil {
		return fmt.Errorf("create the state folder: %w", err)
	}
	key, err := keptUpwardKey(filepath.Join(cfg.State, upwardFile), c.env.random)
	if err != nil {
		return err
	}
	if *asJSON {
		return c.printJSON(map[string]string{"use": "upward", "public_key": key.Public().String()})
	}
	_, err = fmt.Fprintln(c.env.stdout, key.Public())
	return err
}

func (c *command) printTable(_ context.Context, args []string) error {
	flags := c.flags("centrald upward table")
	if err := cli.Parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	if flags.NArg() != 1 {
		return cli.Usage(fmt.Sprintf("请写一份对照表的名称：%v", upward.BuiltIn()), fmt.Sprintf("name a table: %v", upward.BuiltIn()))
	}
	text, err := upward.Text(flags.Arg(0))
	if err != nil {
		return err
	}
	_, err = c.env.stdout.Write(text)
	return err
}
