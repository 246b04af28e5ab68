package main

import (
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"haochaping/internal/central/books"
	"haochaping/internal/central/broker"
	"haochaping/internal/central/db"
	"haochaping/internal/central/deadline"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/dossier"
	"haochaping/internal/central/enrol"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/intake"
	"haochaping/internal/central/integrity"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/policy"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/report"
	"haochaping/internal/central/subscribe"
	"haochaping/internal/central/upward"
	"haochaping/internal/cli"
)

// rooms is the centre's rooms, opened: the journal with the organisation, the accounts and the fleet in one database, and the books in the
// same or, on SQLite, in a file of their own.
type rooms struct {
	cfg        config
	journal    *journal.Journal
	directory  *directory.Directory
	fleet      *fleet.Fleet
	people     *account.Accounts
	books      *books.Books
	deadlines  *deadline.Deadlines
	intake     *intake.Room
	orders     *rectify.Orders
	reports    *report.Reports
	dossiers   *dossier.Dossiers
	subscribed *subscribe.Room
	integrity  *integrity.Room
	upward     *upward.Room // nil: nothing goes upward
	policy     *policy.Room
	held       []policy.Held // what holds of each setting
	wanted     map[policy.Name]policy.Local
	enrol      *enrol.Room
	key        ed25519.PrivateKey // signs acknowledgements, commands and configurations
	seal       ed25519.PrivateKey // signs the journal's heads
	holder     string             // names this instance
	shown      shown              // by listeners
	closers    []func() error
}

// beside returns the rooms that keep something beside the journal, in the order in which a backup has them.
func (x *rooms) beside() []journal.Room {
	return []journal.Room{x.fleet, x.directory, x.people, x.deadlines, x.intake, x.orders, x.enrol, x.dossiers, x.subscribed, x.policy}
}

// errNoJournal says that a command which reads found nothing to read.
var errNoJournal = cli.Error("还没有日志", "there is no journal yet")

// places returns the addresses of the two databases.
func (c config) places() (journal, books string) {
	if strings.HasPrefix(string(c.Books), "sqlite:") {
		folder := strings.TrimPrefix(string(c.Books), "sqlite:")
		if folder == "" {
			folder = c.State
		}
		return "sqlite:" + filepath.Join(folder, journalFile), "sqlite:" + filepath.Join(folder, booksFile)
	}
	return string(c.Books), string(c.Books)
}

// open opens the centre, and creates what is missing.
func (c *command) open(ctx context.Context, cfg config) (*rooms, error) {
	if err := os.MkdirAll(cfg.State, 0o700); err != nil {
		return nil, fmt.Errorf("create the state folder: %w", err)
	}
	x := &rooms{cfg: cfg, holder: rand.Text()}
	if err := x.open(ctx, c); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// openConfigured opens the centre that the configuration names, and creates what is missing.
func (c *command) openConfigured(ctx context.Context) (*rooms, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	return c.open(ctx, cfg)
}

// openWritten opens a centre that exists. A command that reads must not find an empty file in order.
func (c *command) openWritten(ctx context.Context) (*rooms, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	at, _ := cfg.places()
	if path, ok := strings.CutPrefix(at, "sqlite:"); ok {
		if _, err := os.Stat(path); err != nil {
			return nil, cli.Hint(fmt.Errorf("%w: %w", errNoJournal, err),
				"新的中心运行一次 centrald 之后才有；否则请看配置中的 state 是否为中心的文件夹，本用户能否读取",
				"a new centre has one when centrald has run once; otherwise, is \"state\" in the configuration the centre's folder, and may this "+
					"account read it?")
		}
	}
	return c.open(ctx, cfg)
}

// onWritten reads the flags of a command that takes nothing else, and calls do with a centre that exists.
func (c *command) onWritten(ctx context.Context, flags *flag.FlagSet, args []string, do func(*rooms) error) (err error) {
	if err := cli.Parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	if flags.NArg() > 0 {
		return cli.Unexpected(flags.Arg(0))
	}
	x, err := c.openWritten(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	return do(x)
}

// keyKept returns an error where a centre has worked and its key is gone: a new one would be believed by no box, and open no text.
func (c config) keyKept(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(c.State, keyFile)); !errors.Is(err, fs.ErrNotExist) {
		return nil // what else is wrong with it, its reader says
	}
	at, _ := c.places()
	path, file := strings.CutPrefix(at, "sqlite:")
	traces := []string{filepath.Join(c.State, headFile)}
	if file {
		traces = append(traces, path)
	}
	for _, trace := range traces {
		if _, err := os.Stat(trace); err == nil {
			return cli.Hint(c.keyLost("有 "+trace, "there is "+trace),
				"把另外保存的密钥放回原处，见 docs/backup.md；新的密钥没有评价器会相信，市民写的文字也打不开",
				"put back the copy that is kept elsewhere, as docs/backup.md has it: no box would believe a new key, and no text could be opened by it")
		}
	}
	if file {
		return nil
	}
	written, err := journalWritten(ctx, at)
	switch {
	case err != nil:
		return fmt.Errorf("%s has no %s, and whether this centre has worked already cannot be asked: %w", c.State, keyFile, err)
	case written:
		return cli.Hint(c.keyLost("数据库中有它的日志", "its journal is in the database"),
			"把另外保存的密钥放回原处，见 docs/backup.md；这是共用数据库的又一个实例时，从别的实例复制状态目录里的 centre.key、seal.key、root.pem 和 issuing.*。"+
				"新的密钥没有评价器会相信，市民写的文字也打不开",
			"put back the copy that is kept elsewhere, as docs/backup.md has it; for one more instance on the same database, copy centre.key, "+
				"seal.key, root.pem and issuing.* from the state folder of another one. No box would believe a new key, and no text could be opened "+
				"by it")
	}
	return nil
}

// keyLost says that the key of a centre is gone, of which there is a trace.
func (c config) keyLost(zh, en string) error {
	return cli.Error(fmt.Sprintf("%s 中没有 %s，而这个中心已运行过（%s）", c.State, keyFile, zh),
		fmt.Sprintf("%s has no %s, and this centre has worked already (%s)", c.State, keyFile, en))
}

// journalWritten reports whether a database has a journal that somebody has written into.
func journalWritten(ctx context.Context, at string) (yes bool, err error) {
	d, err := db.Open(ctx, at)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return journal.Written(ctx, d)
}

func (x *rooms) open(ctx context.Context, c *command) (err error) {
	log := c.logger(x.cfg)
	if err := x.cfg.keyKept(ctx); err != nil {
		return err
	}
	if x.key, err = keptKey(filepath.Join(x.cfg.State, keyFile), c.env.random); err != nil {
		return err
	}
	if x.seal, err = keptKey(filepath.Join(x.cfg.State, sealFile), c.env.random); err != nil {
		return err
	}
	at, booksAt := x.cfg.places()
	d, err := x.database(ctx, at)
	if err != nil {
		return err
	}
	// Texts can be read by whoever has both the database and the centre's key.
	secret, err := hkdf.Key(sha256.New, x.key.Seed(), nil, "haochaping texts", 32)
	if err != nil {
		return err
	}
	x.journal, err = journal.Open(ctx, journal.Config{DB: d, Secret: secret, Random: c.env.random, Now: c.env.now, Logger: log})
	if err != nil {
		return err
	}
	x.background(ctx, x.journal.Run)
	if err := x.openPolicy(ctx, c); err != nil {
		return err
	}
	if x.directory, err = directory.Open(ctx, x.journal); err != nil {
		return err
	}
	if x.fleet, err = fleet.Open(ctx, x.journal); err != nil {
		return err
	}
	x.fleet.LogsInAs(broker.CentreName, x.cfg.Broker.Username)
	x.background(ctx, x.fleet.Run)
	if x.enrol, err = c.openEnrol(ctx, x); err != nil {
		return err
	}
	if x.people, err = c.accounts(ctx, x); err != nil {
		return err
	}
	if booksAt != at {
		if d, err = x.database(ctx, booksAt); err != nil {
			return err
		}
	}
	x.books, err = books.Open(ctx, books.Config{DB: d, Journal: x.journal, Holder: x.holder, Now: c.env.now, Logger: log})
	if err != nil {
		return err
	}
	if x.intake, err = intake.Open(ctx, x.journal); err != nil {
		return err
	}
	if x.deadlines, err = c.openDeadlines(ctx, x, log); err != nil {
		return err
	}
	if x.orders, err = c.openOrders(ctx, x, log); err != nil {
		return err
	}
	x.reports, err = report.Open(ctx, report.Config{DB: d, Journal: x.journal, Books: x.books, Orders: x.orders, Directory: x.directory,
		Holder: x.holder, Now: c.env.now, Logger: log})
	if err != nil {
		return err
	}
	if x.subscribed, err = subscribe.Open(ctx, x.journal.DB()); err != nil {
		return err
	}
	if x.dossiers, err = dossier.Open(ctx, x.journal); err != nil {
		return err
	}
	if x.integrity, err = c.openIntegrity(ctx, x, d, log); err != nil {
		return err
	}
	x.upward, err = c.openUpward(ctx, x, d, log)
	return err
}

// accounts opens the accounts. The seeds of second factors can be read by whoever has both the database and the centre's key.
func (c *command) accounts(ctx context.Context, x *rooms) (*account.Accounts, error) {
	secret, err := hkdf.Key(sha256.New, x.key.Seed(), nil, "haochaping second factors", 32)
	if err != nil {
		return nil, err
	}
	// One core of two, two of four: passwords never take the machine from the boxes.
	hasher := account.NewHasher(runtime.GOMAXPROCS(0)/2, account.FullCost(), c.env.random)
	return account.Open(ctx, account.Config{Journal: x.journal, Secret: secret, Hasher: hasher, Random: c.env.random, Now: c.env.now})
}

func (x *rooms) database(ctx context.Context, at string) (*db.DB, error) {
	d, err := db.Open(ctx, at)
	if err != nil {
		return nil, err
	}
	x.closers = append(x.closers, d.Close)
	return d, nil
}

// background runs a part until Close.
func (x *rooms) background(ctx context.Context, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	x.closers = append(x.closers, func() error {
		cancel()
		return <-ended
	})
}

// Close ends what runs and closes the databases, the last opened first.
func (x *rooms) Close() error {
	var errs []error
	for len(x.closers) > 0 {
		n := len(x.closers) - 1
		errs = append(errs, x.closers[n]())
		x.closers = x.closers[:n]
	}
	return errors.Join(errs...)
}

// caughtUp makes the books follow the journal to its end, unless a centrald that runs does.
func (x *rooms) caughtUp(ctx context.Context, stderr io.Writer) error {
	end := cli.Waiting(ctx, stderr, "等待账本跟上日志", "waiting until the books have followed the journal")
	defer end()
	size, err := x.journal.Head(ctx)
	if err != nil {
		return err
	}
	x.background(ctx, x.books.Run)
	return x.books.Wait(ctx, size)
}

// keptHead reads the head that this machine has seen last, the zero one if there is none.
func (x *rooms) keptHead() (journal.Checkpoint, error) {
	b, err := os.ReadFile(filepath.Join(x.cfg.State, headFile))
	if errors.Is(err, fs.ErrNotExist) {
		return journal.Checkpoint{}, nil
	}
	if err != nil {
		return journal.Checkpoint{}, fmt.Errorf("read the last head that was signed: %w", err)
	}
	return journal.ParseCheckpoint(b)
}

// checkHead compares the journal with the head that this machine has seen last: a database that was replaced by an older copy, or by
// another one, is not written before somebody has said so.
func (x *rooms) checkHead(ctx context.Context) error {
	if _, err := x.journal.Origin(ctx); errors.Is(err, journal.ErrHalfRestored) {
		return fmt.Errorf("%w. Nothing is acknowledged. Set the databases aside and run \"centrald restore\" again", err)
	} else if err != nil {
		return err
	}
	known, err := x.keptHead()
	if err != nil || known.Size == 0 {
		return err
	}
	err = x.journal.CheckHead(ctx, known)
	if !errors.Is(err, journal.ErrSeal) {
		return err
	}
	goesOn, also := x.journal.GoesOnFrom(ctx, known)
	if goesOn || also != nil {
		return also
	}
	return fmt.Errorf("%w. Nothing is acknowledged. Put the right database back; or, if it is lost, run \"centrald accept\", "+
		"which goes on with this one, asks the boxes for what they still hold, and names what is missing", err)
}

// logHead keeps the head that was signed last.
func (x *rooms) logHead(log *slog.Logger) func(journal.Checkpoint) {
	return func(c journal.Checkpoint) {
		if err := writeHead(x.cfg.State, c); err != nil {
			log.Error("the last head that was signed could not be kept beside the database", "error", err)
		}
	}
}
