package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"text/tabwriter"

	"haochaping/internal/cli"
)

// box prints one box.
func (c fleetCall) box(ctx context.Context, device string, asJSON bool, lang cli.Lang, stdout io.Writer) error {
	b, err := c.do(ctx, http.MethodGet, "/api/v1/boxes/"+url.PathEscape(device), nil)
	if err != nil {
		return err
	}
	if asJSON {
		_, err := stdout.Write(b)
		return err
	}
	var x map[string]any
	if err := json.Unmarshal(b, &x); err != nil {
		return cli.Because(err, "中心的回答无法理解", "the centre's answer is not understood")
	}
	tab := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(tab, lang.Head("设备名\t状态\t大厅\t窗口\t版本\t最近联系\t故障", "DEVICE\tSTATE\tHALL\tWINDOW\tVERSION\tHEARD\tTROUBLES"))
	row(tab, x, "device", "state", "hall", "window", "version", "heard_at", "troubles")
	_, _ = fmt.Fprintln(tab, "\n"+lang.Head("时钟相差毫秒\t证书剩余天数\t自检\t当时的故障\t现场检查\t结果",
		"CLOCK OFFSET MS\tCERTIFICATE DAYS\tSELF-TEST\tTROUBLES THEN\tCHECKED\tFOUND"))
	test, _ := x["self_test"].(map[string]any) // a box that never did has none
	check, _ := x["check"].(map[string]any)
	row(tab, map[string]any{"offset": x["clock_offset_ms"], "days": x["cert_days"], "tested": test["answered_at"], "ill": test["troubles"],
		"checked": check["at"], "found": check["seen"]}, "offset", "days", "tested", "ill", "checked", "found")
	if commands, ok := x["commands"].([]any); ok && len(commands) > 0 {
		_, _ = fmt.Fprintln(tab, "\n"+lang.Head("命令\t下达\t答复\t失败原因", "COMMAND\tASKED\tANSWERED\tFAILED"))
		for _, k := range commands {
			if k, ok := k.(map[string]any); ok {
				row(tab, k, "name", "asked_at", "answered_at", "failed")
			}
		}
	}
	return tab.Flush()
}

// bundle writes the latest that a box has sent to support into a file.
func (c fleetCall) bundle(ctx context.Context, device, out string, asJSON bool, lang cli.Lang, stdout io.Writer) error {
	path := "/api/v1/boxes/" + url.PathEscape(device)
	b, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	var x struct {
		Bundles []struct {
			ID   string `json:"id"`
			Came string `json:"came_at"`
		} `json:"bundles"`
	}
	if err := json.Unmarshal(b, &x); err != nil {
		return cli.Because(err, "中心的回答无法理解", "the centre's answer is not understood")
	}
	if len(x.Bundles) == 0 {
		return cli.Hint(cli.Error("这台评价器没有上传过支持包", "the box has sent nothing to support"),
			"先运行 ratingctl fleet ask "+device+" send_bundle，过几秒再取", "run ratingctl fleet ask "+device+" send_bundle, and come back in some seconds")
	}
	if b, err = c.do(ctx, http.MethodGet, path+"/bundles/"+url.PathEscape(x.Bundles[0].ID), nil); err != nil {
		return err
	}
	if out == "" {
		out = "bundle-" + device + ".tar.gz"
	}
	file, err := os.OpenFile(out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return cli.Hint(cli.Errorf("%s 已存在", "%s is there already", out), "用 -out 写另一个文件名；已有的文件不会被覆盖",
			"name another file with -out; one that is there is not written over")
	}
	if err != nil {
		return cli.Because(err, "写不了 "+out, "it cannot be written")
	}
	_, err = file.Write(b)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(out))
	}
	if asJSON {
		return printJSON(stdout, map[string]any{"file": out, "bytes": len(b), "came_at": x.Bundles[0].Came})
	}
	_, err = fmt.Fprintf(stdout, "%s: %s %s\n", out, lang.Say("上传于", "sent at"), printable(x.Bundles[0].Came))
	return err
}
