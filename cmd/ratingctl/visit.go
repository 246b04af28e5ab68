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
	"strings"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/condition"
	"haochaping/internal/loginfiles"
)

// visitUsage is what help says of the command.
func visitUsage() condition.Text {
	return condition.Text{
		ZH: `ratingctl visit 通过评价器的窗口接口，像窗口电脑那样发起评价。

  ratingctl visit start [-staff 0417] [-case 编号 -task 编码 -task-name 名称 -completed]   打印本次办理的编号
  ratingctl visit start -body 文件   同上，用窗口接口所述的请求：批量、主题；写 - 从标准输入读
  ratingctl visit wait 编号    等到评价结束，打印结果：rated、rated_by_phone、timed_out、
                               cancelled、superseded 或 interrupted。分数不在此显示。
  ratingctl visit cancel 编号  停止评价

令牌由 ratingctl token add 产生：写在 -token-file 的文件中，或变量 HCP_TOKEN 中。从别的机器使用时，
-address https://BOX:8377 指定评价器，-ca-file 指定其证书签发者的证书。`,
		EN: `ratingctl visit starts an evaluation as the window's PC does, by the box's window API.

  ratingctl visit start [-staff 0417] [-case NUMBER -task CODE -task-name NAME -completed]   print the visit's id
  ratingctl visit start -body FILE   the same with a request as the window API describes it: a batch, a theme; - is standard input
  ratingctl visit wait ID      wait until the asking has ended, and print how: rated, rated_by_phone, timed_out,
                               cancelled, superseded or interrupted. The score is nobody's business here.
  ratingctl visit cancel ID    stop asking

The token is that of "ratingctl token add": in the file of -token-file, or in the variable HCP_TOKEN. From another machine,
-address https://BOX:8377 names the box, and -ca-file the certificate of who issued the box's.`,
	}
}

// visitCall is the window API as visit calls it.
type visitCall struct {
	base   string
	token  string
	client *http.Client
}

// visitFlags are the arguments of visit.
type visitFlags struct {
	address, config, tokenFile, caFile  string
	body                                string
	staff, project, task, taskName, key string
	completed, asJSON                   bool
	ask                                 time.Duration
}

// visit starts, follows and cancels a visit.
func visit(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("ratingctl visit", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cli.Describe(ctx, flags, visitUsage())
	var f visitFlags
	flags.StringVar(&f.address, "address", "",
		cli.Words("评价器的`网址`；不写则按配置", "where the box is, as `URL`; empty: where the configuration says"))
	flags.StringVar(&f.config, "config", "/etc/ratingd.toml", cli.Words("评价器的配置`文件`", "the box's configuration `file`"))
	flags.StringVar(&f.tokenFile, "token-file", "", cli.Words("存放令牌的`文件`", "the `file` that holds the token"))
	flags.StringVar(&f.caFile, "ca-file", "",
		cli.Words("https 时，评价器证书签发者的证书`文件`", "the `file` with the certificate that vouches for the box, for https"))
	flags.StringVar(&f.body, "body", "",
		cli.Words("JSON 请求`文件`，代替以下各项", "the `file` with the request in JSON, instead of the flags below"))
	flags.StringVar(&f.staff, "staff", "", cli.Words("工作人员`工号`；不写则为已签到的人", "the staff member's `number`; empty: whoever is signed in"))
	flags.StringVar(&f.project, "case", "", cli.Words("办件`编号`", "the case's project `number`"))
	flags.StringVar(&f.task, "task", "", cli.Words("事项`编码`", "the `code` of the case's matter"))
	flags.StringVar(&f.taskName, "task-name", "", cli.Words("事项`名称`", "the `name` of the case's matter"))
	flags.BoolVar(&f.asJSON, "json", false, cli.Words("用于 wait：输出 JSON 对象", "for wait: print a JSON object"))
	flags.BoolVar(&f.completed, "completed", false, cli.Words("本次办理已办结", "this visit completes the case"))
	flags.DurationVar(&f.ask, "ask", 0,
		cli.Words("每个问题等待按键的`时长`；0：按评价器的配置", "how long each question waits for a key; 0: as the box is configured"))
	flags.StringVar(&f.key, "idempotency-key", "",
		cli.Words("每次办理各不相同的`文字`；重复时返回同一次办理", "a `text` that is new for each visit; repeated, it gives the same visit again"))
	what, rest, err := subcommand(flags, args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if n, known := map[string]int{"start": 0, "wait": 1, "cancel": 1}[what]; !known || len(rest) != n {
		return cli.Hint(cli.Usage("命令无法理解", "the command is not understood"), "有 start、wait 编号和 cancel 编号；详见 ratingctl visit -h",
			"there are start, wait ID and cancel ID; ratingctl visit -h says more")
	}
	c, err := newVisitCall(f, getenv)
	if err != nil {
		return err
	}
	switch what {
	case "start":
		body, err := f.request(stdin)
		if err != nil {
			return err
		}
		return c.start(ctx, body, f.key, stdout)
	case "wait":
		return c.wait(ctx, rest[0], f.asJSON, stdout)
	}
	_, err = c.do(ctx, http.MethodDelete, "/v1/visits/"+url.PathEscape(rest[0]), nil, nil)
	return err
}

func newVisitCall(f visitFlags, getenv func(string) string) (visitCall, error) {
	c := visitCall{base: strings.TrimSuffix(f.address, "/"), token: getenv("HCP_TOKEN"), client: &http.Client{Timeout: time.Minute}}
	if c.base == "" {
		box, err := boxconfig.LoadPartial(f.config)
		if err != nil {
			return c, cli.Hint(err, "用 -config 写评价器的配置文件，或用 -address http://127.0.0.1:8377 写其地址",
				"name the box's configuration with -config, or its address with -address http://127.0.0.1:8377")
		}
		if box.WindowAPI.Listen == "" {
			return c, cli.Hint(cli.Error("评价器没有本机的窗口接口地址", "the box has no loopback address for the window API"),
				"设置 window_api.listen，或用 -address 写地址", "set window_api.listen, or name the address with -address")
		}
		c.base = "http://" + box.WindowAPI.Listen
	}
	if f.caFile != "" {
		pool, err := loginfiles.Authorities(loginfiles.File{Field: "-ca-file", Path: f.caFile})
		if err != nil {
			return c, cli.Hint(err, "写窗口接口证书的签发者的 PEM 文件", "name the file of whoever signed the window API's certificate, in PEM")
		}
		c.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	}
	if f.tokenFile != "" {
		b, err := os.ReadFile(f.tokenFile)
		if err != nil {
			return c, err
		}
		c.token = strings.TrimSpace(string(b))
	}
	return c, nil
}

// request returns the body that the flags mean.
func (f visitFlags) request(stdin io.Reader) ([]byte, error) {
	whole := f.staff == "" && f.project == "" && f.task == "" && f.taskName == "" && !f.completed && f.ask == 0
	switch {
	case f.body != "" && !whole:
		return nil, cli.Hint(cli.Error("-body 与评价的其他选项矛盾", "-body and flags of a visit contradict each other"), "把 staff、cases 和 wait_sec 写入文件",
			"write staff, cases and wait_sec into the file")
	case f.body == "-":
		return io.ReadAll(stdin)
	case f.body != "":
		return os.ReadFile(f.body)
	case f.project == "" && (f.completed || f.task != "" || f.taskName != ""):
		return nil, cli.Hint(cli.Error("办件没有编号", "a case without its number"), "加上 -case 办件编号，或去掉 -task、-task-name 和 -completed",
			"add -case with the project number, or leave -task, -task-name and -completed out")
	case f.ask%time.Second != 0:
		return nil, cli.Hint(cli.Errorf("-ask %s 不是整秒数", "-ask %s is no whole number of seconds", f.ask), "例如写 -ask 30s",
			"write for example -ask 30s")
	}
	body := map[string]any{"wait_sec": int(f.ask / time.Second)}
	if f.staff != "" {
		body["staff"] = map[string]any{"id": f.staff}
	}
	if f.project != "" {
		body["cases"] = []any{map[string]any{"project_no": f.project, "task_code": f.task, "task_name": f.taskName, "completed": f.completed}}
	}
	return json.Marshal(body)
}

func (c visitCall) start(ctx context.Context, body []byte, key string, stdout io.Writer) error {
	header := http.Header{}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	b, err := c.do(ctx, http.MethodPost, "/v1/visits", body, header)
	if err != nil {
		return err
	}
	var opened struct{ ID string }
	if err := json.Unmarshal(b, &opened); err != nil {
		return fmt.Errorf("the box's answer: %w", err)
	}
	_, err = fmt.Fprintln(stdout, opened.ID)
	return err
}

func (c visitCall) wait(ctx context.Context, id string, asJSON bool, stdout io.Writer) error {
	for {
		b, err := c.do(ctx, http.MethodGet, "/v1/visits/"+url.PathEscape(id)+"?wait=25s", nil, nil)
		if err != nil {
			return err
		}
		var v struct {
			Open    bool
			Outcome string
		}
		if err := json.Unmarshal(b, &v); err != nil {
			return fmt.Errorf("the box's answer: %w", err)
		}
		if !v.Open && asJSON {
			return printJSON(stdout, map[string]string{"id": id, "outcome": v.Outcome})
		}
		if !v.Open {
			_, err := fmt.Fprintln(stdout, v.Outcome)
			return err
		}
	}
}

// do sends a request and returns the answer, or what the box has against it.
func (c visitCall) do(ctx context.Context, method, path string, body []byte, header http.Header) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if header != nil {
		r.Header = header
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	r.Header.Set("Accept-Language", "en")
	if cli.LangOf(ctx) == cli.Chinese {
		r.Header.Set("Accept-Language", "zh")
	}
	resp, err := c.client.Do(r)
	if stranger := new(tls.CertificateVerificationError); errors.As(err, &stranger) {
		return nil, cli.Hint(err, "用 -ca-file 写签发评价器证书的证书，并用证书中的名称或地址访问评价器",
			"name with -ca-file the certificate of who issued the box's, and call the box by a name or address that is in it")
	}
	if err != nil {
		return nil, cli.Hint(err, "ratingd 是否在运行，"+c.base+" 是否为其窗口接口？用 ratingctl doctor 检查",
			"is ratingd running, and is "+c.base+" its window API? ratingctl doctor looks")
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		return b, nil
	}
	var p struct{ Title, Detail string }
	if err := json.Unmarshal(b, &p); err != nil || p.Title == "" {
		return nil, fmt.Errorf("%s answers %s", c.base, resp.Status)
	}
	return nil, cli.Hint(errors.New(p.Title), p.Detail, p.Detail)
}
