package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"haochaping/internal/cli"
	"haochaping/internal/loginfiles"
)

// fleetFlags are the arguments of fleet.
type fleetFlags struct {
	centre, tokenFile, caFile string
	hall, area, state, first  string
	signIn, wait, walkUp      string
	programs, out             string
	walkUpLink, hold          time.Duration
	asJSON                    bool
}

// fleetCommand asks the centre about its boxes, and steers changes of their settings.
func fleetCommand(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("ratingctl fleet", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cli.Describe(ctx, flags, fleetUsage())
	var f fleetFlags
	flags.StringVar(&f.centre, "centre", getenv("HCP_CENTRE"), cli.Words("中心页面的`网址`", "where the centre's pages are, as `URL`"))
	flags.StringVar(&f.tokenFile, "token-file", "", cli.Words("存放令牌的`文件`", "the `file` that holds the token"))
	flags.StringVar(&f.caFile, "ca-file", "",
		cli.Words("系统不认识中心证书的签发者时，写签发者证书的`文件`",
			"the `file` with the certificate that vouches for the centre, where the system knows none"))
	flags.StringVar(&f.hall, "hall", "", cli.Words("大厅的`编号`", "a hall's `ID`"))
	flags.StringVar(&f.area, "area", "", cli.Words("行政区划`代码`，12 位", "an area's `code`, 12 digits"))
	flags.StringVar(&f.state, "state", "",
		cli.Words("用于 boxes，只列一种`状态`：sick、offline、ill、waiting、never 或 well",
			"for boxes, those in one `state`: sick, offline, ill, waiting, never or well"))
	flags.StringVar(&f.first, "first", "", cli.Words("最先更改的窗口的`编号`", "the `ID` of the window that is changed first"))
	flags.StringVar(&f.signIn, "sign-in", "",
		cli.Words("无人签到时窗口关闭：`on 或 off`", "the window is closed while nobody is signed in: `on or off`"))
	flags.StringVar(&f.wait, "wait", "",
		cli.Words("每个问题等待按键的`时长`，5s 至 10m；own：按各评价器自己的配置",
			"how `long` a question waits for a key, 5s to 10m; own: as each box's file says"))
	flags.StringVar(&f.walkUp, "walk-up", "",
		cli.Words("无需发起、有人即可评价，两次评价之间的`间隔`，1s 至 10m；off：停用",
			"ask whoever stands there, with this `pause` between answers, 1s to 10m; off: no more"))
	flags.DurationVar(&f.walkUpLink, "walk-up-link", 5*time.Minute,
		cli.Words("这样的窗口每个二维码显示的`时长`：1m 至 10m", "how `long` a walk-up window shows one QR code: 1m to 10m"))
	flags.StringVar(&f.programs, "programs", "",
		cli.Words("要安装的评价器程序包`版本`，不能与其他设置同时更改", "the `version` of the boxes' package that is to be installed, by itself"))
	flags.DurationVar(&f.hold, "hold", 30*time.Minute,
		cli.Words("评价器正常多久后进入下一步的`时长`：5m 至 168h", "how `long` boxes must be well before the next stage: 5m to 168h"))
	flags.StringVar(&f.out, "out", "",
		cli.Words("用于 bundle：写入的`文件`；不写则为当前目录下的 bundle-设备名.tar.gz", "the `file` for a bundle; empty: bundle-DEVICE.tar.gz here"))
	flags.BoolVar(&f.asJSON, "json", false, cli.Words("原样输出中心的答复（JSON）", "print what the centre answers"))
	what, rest, err := subcommand(flags, args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	needs := map[string]int{"box": 1, "ask": 2, "bundle": 1, "alerts": 0, "acknowledge": 1,
		"boxes": 0, "list": 0, "begin": 0, "show": 1, "halt": 1,
		"resume": 1, "undo": 1, "abandon": 1}
	if n, known := needs[what]; !known || len(rest) != n {
		return cli.Hint(cli.Usage("命令无法理解", "the command is not understood"),
			"有 boxes、box 评价器、ask 评价器 命令、bundle 评价器、alerts、acknowledge 告警、"+
				"list、show 编号、begin、halt 编号、resume 编号、undo 编号和 abandon 编号；详见 ratingctl fleet -h",
			"there are boxes, box DEVICE, ask DEVICE COMMAND, bundle DEVICE, alerts, acknowledge ALERT, "+
				"list, show ID, begin, halt ID, resume ID, undo ID and abandon ID; "+
				"ratingctl fleet -h says more")
	}
	c, err := newFleetCall(f, getenv)
	if err != nil {
		return err
	}
	return c.carryOut(ctx, f, what, rest, stdout)
}

// fleetCall is the centre's API.
type fleetCall struct {
	base   string
	token  string
	client *http.Client
}

func newFleetCall(f fleetFlags, getenv func(string) string) (fleetCall, error) {
	c := fleetCall{base: strings.TrimSuffix(f.centre, "/"), token: getenv("HCP_TOKEN"), client: &http.Client{Timeout: time.Minute}}
	u, err := url.Parse(c.base)
	if err != nil || u.Host == "" || u.Scheme != "https" && !slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname()) {
		return c, cli.Hint(cli.Usage("没有中心的地址，或不是 https", "there is no address of the centre, or it is not https"),
			"用 -centre https://centre.example.com 写中心页面的地址", "name where the centre's pages are with -centre https://centre.example.com")
	}
	if f.tokenFile != "" {
		b, err := os.ReadFile(f.tokenFile)
		if err != nil {
			return c, err
		}
		c.token = strings.TrimSpace(string(b))
	}
	if c.token == "" {
		return c, cli.Hint(cli.Usage("没有令牌", "there is no token"), "在中心的“我的账号”页面生成令牌，写入 -token-file 的文件，或变量 HCP_TOKEN",
			"make one on the centre's page 我的账号, and write it into the file of -token-file or the variable HCP_TOKEN")
	}
	if f.caFile != "" {
		pool, err := loginfiles.Authorities(loginfiles.File{Field: "-ca-file", Path: f.caFile})
		if err != nil {
			return c, err
		}
		c.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	}
	return c, nil
}

// carryOut does what one of the commands says.
func (c fleetCall) carryOut(ctx context.Context, f fleetFlags, what string, rest []string, stdout io.Writer) error {
	lang := cli.LangOf(ctx)
	switch what {
	case "boxes":
		return c.list(ctx, "/api/v1/boxes?hall="+url.QueryEscape(f.hall)+"&state="+url.QueryEscape(f.state), f.asJSON, stdout,
			lang.Head("设备名\t状态\t大厅\t窗口\t版本\t故障", "DEVICE\tSTATE\tHALL\tWINDOW\tVERSION\tTROUBLES"),
			"device", "state", "hall", "window", "version", "troubles")
	case "box":
		return c.box(ctx, rest[0], f.asJSON, lang, stdout)
	case "ask":
		b, err := c.do(ctx, http.MethodPost, "/api/v1/boxes/"+url.PathEscape(rest[0])+"/commands", map[string]string{"name": rest[1]})
		if err == nil && f.asJSON {
			_, err = stdout.Write(b)
		} else if err == nil {
			_, err = fmt.Fprintln(stdout, lang.Say("已发出；回答见", "it is under way; for the answer:"), "ratingctl fleet box", rest[0])
		}
		return err
	case "alerts":
		return c.list(ctx, "/api/v1/alerts?", f.asJSON, stdout,
			lang.Head("编号\t类别\t大厅\t设备名\t开始\t处理登记\t内容", "ID\tKIND\tHALL\tDEVICE\tOPENED\tACKNOWLEDGED\tWHAT"),
			"id", "kind", "hall", "device", "opened_at", "acknowledged_at", "words")
	case "acknowledge":
		b, err := c.do(ctx, http.MethodPost, "/api/v1/alerts/"+url.PathEscape(rest[0])+"/acknowledge", struct{}{})
		if err == nil && f.asJSON {
			_, err = stdout.Write(b)
		} else if err == nil {
			_, err = fmt.Fprintln(stdout, lang.Say("已登记由您处理", "it is noted that you look after it"))
		}
		return err
	case "bundle":
		return c.bundle(ctx, rest[0], f.out, f.asJSON, lang, stdout)
	case "list":
		return c.list(ctx, "/api/v1/rollouts?", f.asJSON, stdout,
			lang.Head("编号\t状态\t步\t区划\t大厅\t开始\t更改", "ID\tSTATE\tSTAGE\tAREA\tHALL\tBEGUN\tCHANGE"),
			"id", "state", "stage", "area", "hall", "begun_at", "words")
	case "begin":
		body, err := f.begin()
		if err != nil {
			return err
		}
		return c.tell(ctx, http.MethodPost, "/api/v1/rollouts", body, f.asJSON, lang, stdout)
	case "show":
		return c.tell(ctx, http.MethodGet, "/api/v1/rollouts/"+url.PathEscape(rest[0]), nil, f.asJSON, lang, stdout)
	}
	path := "/api/v1/rollouts/" + url.PathEscape(rest[0]) + "/steer"
	return c.tell(ctx, http.MethodPost, path, map[string]string{"do": what}, f.asJSON, lang, stdout)
}

// begin returns the request that begins what the flags say.
func (f fleetFlags) begin() (map[string]any, error) {
	change := make(map[string]any)
	wrong := func(flag string) error {
		return cli.Hint(cli.Usage("选项 -"+flag+" 无法理解", "the flag -"+flag+" is not understood"), "详见 ratingctl fleet -h",
			"ratingctl fleet -h says more")
	}
	seconds := func(text, none string) (int, error) {
		if text == none {
			return 0, nil
		}
		d, err := time.ParseDuration(text)
		if err == nil && (d < time.Second || d%time.Second != 0) {
			err = errors.New("no whole seconds")
		}
		return int(d / time.Second), err
	}
	switch f.signIn {
	case "":
	case "on", "off":
		change["sign_in"] = f.signIn == "on"
	default:
		return nil, wrong("sign-in")
	}
	if f.wait != "" {
		n, err := seconds(f.wait, "own")
		if err != nil {
			return nil, wrong("wait")
		}
		change["wait_sec"] = n
	}
	if f.walkUp != "" {
		n, err := seconds(f.walkUp, "off")
		if err != nil {
			return nil, wrong("walk-up")
		}
		link := int(f.walkUpLink / time.Second)
		if n == 0 {
			link = 0
		}
		change["walk_up"] = map[string]int{"pause_sec": n, "link_sec": link}
	}
	if f.programs != "" {
		change["programs"] = f.programs
	}
	body := map[string]any{"first": f.first, "change": change, "hold_min": int(f.hold / time.Minute)}
	if f.hall != "" {
		body["hall"] = f.hall
	}
	if f.area != "" {
		body["area"] = f.area
	}
	return body, nil
}

// do asks the centre, and returns its answer.
func (c fleetCall) do(ctx context.Context, method, path string, body any) ([]byte, error) {
	var sent io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		sent = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, sent)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.client.Do(r)
	if err != nil {
		return nil, cli.Because(err, "中心没有回答", "the centre does not answer")
	}
	defer func() { _ = answer.Body.Close() }()
	const most = 16 << 20
	b, err := io.ReadAll(io.LimitReader(answer.Body, most))
	if err != nil {
		return nil, cli.Because(err, "中心的回答不完整", "the centre's answer is not complete")
	}
	if answer.StatusCode/100 == 2 {
		return b, nil
	}
	var p struct{ Detail string }
	if json.Unmarshal(b, &p) != nil || p.Detail == "" {
		p.Detail = answer.Status
	}
	return nil, cli.Errorf("中心拒绝了：%s", "the centre refuses: %s", p.Detail)
}

// list prints all parts of a list, by some of its fields.
func (c fleetCall) list(ctx context.Context, path string, asJSON bool, stdout io.Writer, head string, fields ...string) error {
	tab := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
	if !asJSON {
		_, _ = fmt.Fprintln(tab, head) // a tabwriter holds its text back; what goes wrong shows at Flush
	}
	all := []map[string]any{}
	for cursor := ""; ; {
		b, err := c.do(ctx, http.MethodGet, path+"&cursor="+url.QueryEscape(cursor), nil)
		if err != nil {
			return err
		}
		var part struct {
			Items []map[string]any
			Next  string
		}
		if err := json.Unmarshal(b, &part); err != nil {
			return cli.Because(err, "中心的回答无法理解", "the centre's answer is not understood")
		}
		all = append(all, part.Items...)
		if cursor = part.Next; cursor == "" {
			break
		}
	}
	if asJSON {
		return printJSON(stdout, all)
	}
	for _, x := range all {
		row(tab, x, fields...)
	}
	return tab.Flush()
}

// row prints some fields of something.
func row(tab io.Writer, x map[string]any, fields ...string) {
	var cells []string
	for _, f := range fields {
		text := ""
		switch v := x[f].(type) {
		case nil:
		case []any: // troubles, by their codes
			var codes []string
			for _, t := range v {
				if m, ok := t.(map[string]any); ok {
					t = m["code"]
				}
				codes = append(codes, fmt.Sprint(t))
			}
			text = strings.Join(codes, " ")
		case map[string]any: // what was found, by parts
			text = strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(v), "map["), "]")
		case float64:
			text = strconv.FormatFloat(v, 'f', -1, 64)
		default:
			text = fmt.Sprint(v)
		}
		cells = append(cells, printable(text))
	}
	_, _ = fmt.Fprintln(tab, strings.Join(cells, "\t"))
}

// tell does something with one change, and prints it.
func (c fleetCall) tell(ctx context.Context, method, path string, body any, asJSON bool, lang cli.Lang, stdout io.Writer) error {
	b, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	if asJSON {
		_, err := stdout.Write(b)
		return err
	}
	var r struct {
		ID, Words, State, Sick, Why string
		Stage, Stages               int
		Deeds                       []string
		Boxes                       []map[string]any
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return cli.Because(err, "中心的回答无法理解", "the centre's answer is not understood")
	}
	_, _ = fmt.Fprintf(stdout, "%s  %s\n%s %d/%d %s %s\n", printable(r.ID), printable(r.Words), printable(r.State), r.Stage, r.Stages,
		printable(r.Sick), printable(r.Why))
	if len(r.Deeds) > 0 {
		_, _ = fmt.Fprintf(stdout, "%s ratingctl fleet %s %s\n", lang.Say("可以：", "what can be done:"), strings.Join(r.Deeds, "|"),
			printable(r.ID))
	}
	if len(r.Boxes) == 0 {
		return nil
	}
	tab := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(tab, lang.Head("步\t设备名\t状态\t大厅\t窗口\t发出\t已采用\t原因", "STAGE\tDEVICE\tSTATE\tHALL\tWINDOW\tSENT\tAPPLIED\tWHY"))
	for _, x := range r.Boxes {
		row(tab, x, "stage", "device", "state", "hall", "window", "sent_at", "applied_at", "why")
	}
	return tab.Flush()
}

// printable returns what the centre says without what a terminal would act on.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
