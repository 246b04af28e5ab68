package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"haochaping/internal/boxconfig"
	"haochaping/internal/central/broker"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/enrol"
	"haochaping/internal/central/ops"
	"haochaping/internal/central/web/live"
	"haochaping/internal/cli"
	"haochaping/internal/identity"
	"haochaping/internal/keptfile"
	"haochaping/internal/provision"
)

// openEnrol opens the room of the boxes' certificates, with the authority where the configuration wants one.
func (c *command) openEnrol(ctx context.Context, x *rooms) (*enrol.Room, error) {
	var a *enrol.Authority
	if x.cfg.Enrol.Listen != "" || x.cfg.Broker.Certificates {
		var err error
		if a, err = enrol.OpenAuthority(x.cfg.State, c.env.now); err != nil {
			return nil, err
		}
	}
	return enrol.Open(ctx, enrol.Config{Journal: x.journal, Authority: a, Fleet: x.fleet, Directory: x.directory, Key: x.key,
		Names: x.cfg.Enrol.Names, Windows: x.cfg.Enrol.Windows, WindowLife: time.Duration(x.cfg.Enrol.WindowDays) * 24 * time.Hour,
		May:       x.mayAccept,
		Passwords: account.NewHasher(runtime.GOMAXPROCS(0)/2, account.OnceCost(), c.env.random), Random: c.env.random, Now: c.env.now})
}

// mayAccept reports whether an account may accept boxes for a hall now.
func (x *rooms) mayAccept(ctx context.Context, id, area, hall string) (bool, error) {
	who, err := x.people.Account(ctx, id)
	if errors.Is(err, account.ErrNoAccount) || err == nil && who.Disabled {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	grants, err := x.people.Grants(ctx, id)
	if err != nil {
		return false, err
	}
	p := account.Person{Account: id, Grants: grants, At: x.journal.Now(), Second: true}
	return account.May(p, account.EditBoxes, account.Object{Area: area, Hall: hall}), nil
}

// authorityTrouble says in place of a broken line to the built-in broker that its authority has ended, where that is why.
func authorityTrouble(t live.Trouble, cfg config, a *enrol.Authority) live.Trouble {
	if t.Since.IsZero() || t.Books || !cfg.Broker.Certificates || a == nil {
		return t
	}
	if err := a.Trouble(); errors.Is(err, enrol.ErrEnded) {
		t.What, t.Err = "签发证书已到期，评价器无法连接。请把 "+enrol.RootKeyFile+" 放回状态目录并重启 centrald，见 docs/enrolment.md", err
	}
	return t
}

// enrolDoor returns the server at which boxes ask for certificates.
func (c *command) enrolDoor(x *rooms, m *ops.Metrics, log *slog.Logger) (site, error) {
	l, err := bind(string(x.cfg.Enrol.Listen))
	if err != nil {
		return site{}, fmt.Errorf("enrol.listen: %w", err)
	}
	secure := tls.NewListener(l, x.enrol.Authority().ServerTLS(x.cfg.Enrol.Names))
	doors := http.NewServeMux()
	doors.Handle("/", x.enrol.Handler(log))
	if x.cfg.Enrol.Updates != "" {
		doors.Handle("GET /updates/", http.StripPrefix("/updates", updates(x.cfg.Enrol.Updates)))
	}
	return site{listener: secure, handler: m.Site("enrol", doors), logger: log}, nil
}

// updates serves the files of an apt repository, and no list of them.
func updates(folder string) http.Handler {
	files := http.FileServerFS(os.DirFS(folder))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		// A package takes longer over a thin line than anything else that is asked for here; one that breaks off is gone on with.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(15 * time.Minute))
		files.ServeHTTP(w, r)
	})
}

// errNoDoor says that the centre does not let boxes in by itself.
var errNoDoor = cli.Error("enrol.listen 为空，评价器无法申请证书；请先在配置中写 enrol.listen 和 enrol.names：docs/enrolment.md",
	"enrol.listen is empty, so that no box can ask for a certificate; write it and enrol.names into the configuration first: "+
		"docs/enrolment.md")

// imageConfig writes the file that lies on the boot partition of all boxes.
func (c *command) imageConfig(ctx context.Context, args []string) error {
	flags := c.flags("centrald image-config")
	out := flags.String("out", "", cli.Words("写入的`文件`；不写则为标准输出", "the `file` to write; empty: standard output"))
	at := flags.String("url", "",
		cli.Words("评价器申请证书的`地址`；不写则为 https:// 加 enrol.names 的第一个名称和 enrol.listen 的端口",
			"the `address` at which boxes ask for certificates; empty: https:// with the first of enrol.names and the port of enrol.listen"))
	mqtt := flags.String("broker", "",
		cli.Words("消息代理的`地址`，多个用逗号隔开，如 mqtts://mqtt.example.com:8883",
			"the broker's `addresses`, with commas between them, as mqtts://mqtt.example.com:8883"))
	page := flags.String("page", "",
		cli.Words("大厅里的手机访问中心页面的`地址`，用于扫码登记",
			"the `address` of the centre's pages as phones in the halls reach them, for the code that is scanned"))
	updateKey := flags.String("update-key", "",
		cli.Words("签署更新的 OpenPGP 公钥`文件`（gpg --armor --export）：评价器从 -url 的 /updates/ 取更新；不写则手工更新",
			"a `file` with the OpenPGP key that signs updates (gpg --armor --export): boxes get them at /updates/ of -url; empty: they are "+
				"updated by hand"))
	more := flags.String("defaults", "",
		cli.Words("所有评价器共用的 ratingd.toml 字段`文件`，如键盘的",
			"a `file` with fields of ratingd.toml that all boxes share, as the keypad's"))
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
	if cfg.Enrol.Listen == "" {
		return errNoDoor
	}
	if *mqtt == "" {
		return cli.Usage("缺少 -broker：写评价器连接的 MQTT 消息服务器的地址", "-broker is missing; write the address at which boxes find the MQTT broker")
	}
	if err := cfg.keyKept(ctx); err != nil {
		return err
	}
	key, err := keptKey(filepath.Join(cfg.State, keyFile), c.env.random)
	if err != nil {
		return err
	}
	authority, err := enrol.OpenAuthority(cfg.State, c.env.now)
	if err != nil {
		return err
	}
	text, err := imageText(cfg, *at, strings.Split(*mqtt, ","), *page, *more, *updateKey, key.Public().(ed25519.PublicKey), authority,
		c.env.now().Unix())
	if err != nil {
		return err
	}
	file, err := provision.Sign([]byte(text), key)
	if err != nil {
		return err
	}
	if *out == "" {
		_, err = c.env.stdout.Write(file)
		return err
	}
	if err := os.WriteFile(*out, file, 0o644); err != nil {
		return fmt.Errorf("write the boxes' file: %w", err)
	}
	return nil
}

// imageText returns the boxes' file without its signature. Of two, boxes take the one with the greater revision.
func imageText(cfg config, at string, brokers []string, page, more, updateKey string, key ed25519.PublicKey, a *enrol.Authority,
	revision int64) (string, error) {
	if at == "" {
		_, port, err := net.SplitHostPort(string(cfg.Enrol.Listen))
		if err != nil {
			return "", fmt.Errorf("enrol.listen: %w", err)
		}
		at = "https://" + net.JoinHostPort(cfg.Enrol.Names[0], port)
	}
	for flag, address := range map[string]string{"-url": at, "-page": page} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "") {
			return "", cli.Usage(fmt.Sprintf("%s 不能写 %q；写 https://主机，不带路径", flag, address),
				fmt.Sprintf("%s %q is not allowed; write https://host without a path", flag, address))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# The same for all boxes of this centre: /boot/firmware/haochaping.toml, or where enrol.file of ratingd.toml says. It "+
		"holds no secret. Whoever\n"+
		"# changes a line breaks the signature at its end, and a box does not take it: write it anew by \"centrald image-config\".\n"+
		"enrol.url = %q\nenrol.page = %q\nenrol.revision = %d\nenrol.root = \"\"\"\n%s\"\"\"\nuplink.broker = [", at,
		strings.TrimSuffix(page, "/"), revision, a.RootPEM())
	for i, x := range brokers {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", x)
	}
	fmt.Fprintf(&b, "]\nuplink.centre_key = %q\n", keyText(key))
	if cfg.Rate.Base != "" {
		fmt.Fprintf(&b, "link.base = %q\n", cfg.Rate.Base)
	}
	if updateKey != "" {
		text, err := os.ReadFile(updateKey)
		if err != nil {
			return "", fmt.Errorf("-update-key: %w", err)
		}
		if !strings.HasPrefix(string(text), "-----BEGIN PGP PUBLIC KEY BLOCK-----") || strings.Contains(string(text), "'") {
			return "", cli.Usage("-update-key 不是公钥；写 gpg --armor --export 的输出",
				"-update-key is no public key; write what gpg --armor --export prints")
		}
		fmt.Fprintf(&b, "update.url = %q\nupdate.key = '''\n%s'''\n", at+"/updates", text)
	}
	if more != "" {
		text, err := os.ReadFile(more)
		if err != nil {
			return "", fmt.Errorf("-defaults: %w", err)
		}
		defaults := strings.TrimRight(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n") + "\n"
		if err := boxconfig.CheckShared([]byte(b.String()), []byte(defaults)); err != nil {
			return "", fmt.Errorf("-defaults: boxes would not take %s, nothing was written: %w", more, err)
		}
		b.WriteString(defaults)
	}
	if err := toml.Unmarshal([]byte(b.String()), &map[string]any{}); err != nil {
		return "", fmt.Errorf("-defaults: together with what the centre writes it is no TOML (of enrol, uplink and link it must not open "+
			"tables; write \"uplink.ack = …\"): %w", err)
	}
	return b.String(), nil
}

// certificate writes a certificate for a broker elsewhere, or for the centre there.
func (c *command) certificate(ctx context.Context, args []string) (err error) {
	const life = 365 * 24 * time.Hour
	flags := c.flags("centrald certificate")
	server := flags.String("server", "",
		cli.Words("消息代理的`名称`和地址，多个用逗号隔开", "the broker's `names` and addresses, with commas between them"))
	client := flags.Bool("centre", false,
		cli.Words("本中心自己的，凭它以 "+broker.CentreName+" 登录", "the centre's own, by which it logs in as "+broker.CentreName))
	keyOut := flags.String("key", "", cli.Words("私钥`文件`，没有则生成", "the `file` of the private key, which is drawn if it is not there"))
	out := flags.String("out", "", cli.Words("证书`文件`", "the `file` of the certificate"))
	rootOut := flags.String("root", "",
		cli.Words("根证书`文件`，代理凭它认识评价器；不写则不写出", "a `file` for the root, by which the broker knows boxes; empty: none"))
	listOut := flags.String("revoked", "",
		cli.Words("吊销清单`文件`，PEM 格式；不写则不写出", "a `file` for the list of revoked certificates, in PEM; empty: none"))
	natsOut := flags.String("nats", "",
		cli.Words("nats-server 的权限`文件`；不写则不写出", "a `file` for who may read and write what at nats-server; empty: none"))
	if err := cli.Parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	if flags.NArg() > 0 || (*server != "" || *client) != (*keyOut != "" && *out != "") || *server != "" && *client {
		return cli.Usage("写 -server 名称 或 -centre，并写 -key 和 -out；或者只写 -root、-revoked 或 -nats",
			"write -server NAMES or -centre with -key and -out, or -root, -revoked or -nats alone")
	}
	x, err := c.openConfigured(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	a := x.enrol.Authority()
	if a == nil {
		return errNoDoor
	}
	if *out != "" {
		if err := issueTo(a, *server, *keyOut, *out, life); err != nil {
			return err
		}
	}
	if *rootOut != "" {
		if err := os.WriteFile(*rootOut, append(a.RootPEM(), enrol.PEM(a.Issuing())...), 0o644); err != nil {
			return fmt.Errorf("write the root: %w", err)
		}
	}
	if *listOut != "" {
		list, err := x.enrol.List(ctx)
		if err != nil {
			return err
		}
		if err := os.WriteFile(*listOut, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list}), 0o644); err != nil {
			return fmt.Errorf("write the list of revoked certificates: %w", err)
		}
	}
	return natsUsers(ctx, x, *natsOut)
}

// natsUsers writes who may read and write what at nats-server, into the file that is named.
func natsUsers(ctx context.Context, x *rooms, out string) error {
	if out == "" {
		return nil
	}
	own := x.cfg.Broker.ClientCertFile
	if own == "" {
		return cli.Hint(cli.Error("中心在消息服务器上没有证书", "the centre has no certificate for the broker"),
			"先用 centrald certificate -centre 签发，并写入 broker.client_cert_file 和 client_key_file",
			"issue one by centrald certificate -centre, and name it in broker.client_cert_file and client_key_file")
	}
	pair, err := tls.LoadX509KeyPair(own, x.cfg.Broker.ClientKeyFile)
	if err != nil {
		return fmt.Errorf("broker.client_cert_file: %w", err)
	}
	live, err := x.enrol.Live(ctx)
	if err != nil {
		return err
	}
	if err := keptfile.Replace(out, []byte(enrol.NATSUsers(live, pair.Leaf))); err != nil {
		return fmt.Errorf("-nats: %w", err)
	}
	return nil
}

// issueTo issues a certificate for the key in a file: a server's, or without names the centre's.
func issueTo(a *enrol.Authority, names, keyPath, out string, life time.Duration) error {
	key, err := identity.Keep(keyPath, rand.Reader)
	if err != nil {
		return err
	}
	var leaf *x509.Certificate
	if names == "" {
		leaf, err = a.Client(broker.CentreName, key.Public(), life)
	} else {
		leaf, err = a.Server(strings.Split(names, ","), key.Public(), life)
	}
	if err != nil {
		return err
	}
	return keptfile.Replace(out, append(enrol.PEM(leaf), enrol.PEM(a.Issuing())...))
}
