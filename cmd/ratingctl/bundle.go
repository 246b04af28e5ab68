package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/condition"
	"haochaping/internal/opsapi"
	"haochaping/internal/supportfile"
	"haochaping/store"
)

// bundleUsage is what help says of the command.
func bundleUsage() condition.Text {
	return condition.Text{
		ZH: `ratingctl bundle 把技术支持从远处了解一台评价器所需的资料收进一个文件：各部分的状况、doctor 的结论、程序所理解的配置、守护程序的日志，
以及各类记录各有多少条。

其中没有记录本身，没有办件、事项和人员的名称，也没有密码、令牌和密钥。发送前请查看：tar -tzf 文件`,
		EN: `ratingctl bundle collects in one file what support needs to look at a box from afar: how its parts are, what doctor
finds, the configuration as it was understood, the daemon's log, and how many records of each kind there are.

It holds no record, no name of a case, matter or person, no password, token or key. Look at it before you send it: tar -tzf FILE`,
	}
}

// bundle writes what support needs, and nothing that could disclose a citizen or a secret: each file says what may be in it, and leaves
// out all else.
func bundle(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("ratingctl bundle", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cli.Describe(ctx, flags, bundleUsage())
	out := flags.String("out", "",
		cli.Words("写入的`文件`，.tar.gz；不写则为当前目录下的 ratingctl-设备名.tar.gz",
			"the `file` to write, .tar.gz; empty: ratingctl-DEVICE.tar.gz here"))
	c, err := parsedConfig(flags, args)
	if err != nil || c == nil {
		return err
	}
	if *out == "" {
		*out = "ratingctl-" + string(c.Device) + ".tar.gz"
	}
	file, err := os.OpenFile(*out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return cli.Hint(cli.Errorf("%s 已存在", "%s is there already", *out), "用 -out 写另一个文件名；已有的文件不会被覆盖",
			"name another file with -out; one that is there is not written over")
	}
	if err != nil {
		return cli.Because(err, "写不了 "+*out+"；用 -out 写另一个文件", *out+" cannot be written; name another file with -out")
	}
	lang := cli.LangOf(ctx)
	if err := errors.Join(supportfile.Write(ctx, file, bundleFiles(*c), stderr), file.Close()); err != nil {
		return errors.Join(err, os.Remove(*out))
	}
	_, err = fmt.Fprintf(stdout, "%s: %s: tar -tzf %[1]s\n", *out, lang.Say("请查看后再发送", "look at it before you send it"))
	return err
}

// bundleFiles are what is told of the box, and what doctor finds of it.
func bundleFiles(c boxconfig.Config) []supportfile.File {
	status := func(ctx context.Context) (opsapi.Status, error) { return askBox(ctx, c) }
	doctor := func(ctx context.Context) ([]byte, error) { return bundledDoctor(ctx, c), nil }
	return append(supportfile.Box("ratingctl "+version(), status, c, logPath(c), supportfile.Log),
		supportfile.File{Name: "doctor.txt", Make: doctor})
}

// bundledStatus returns what may be told of what the daemon says of itself.
func bundledStatus(ctx context.Context, c boxconfig.Config) (opsapi.Status, error) {
	s, err := askBox(ctx, c)
	return supportfile.Status(s), err
}

// unbundled are the checks whose words could hold a name or a line of the configuration; of these only the mark is told.
func unbundled() []string { return []string{"text", "config", "window"} }

func bundledDoctor(ctx context.Context, c boxconfig.Config) []byte {
	p := &patient{config: c}
	if s, err := bundledStatus(ctx, c); err != nil {
		p.silent = err
	} else {
		p.status = &s
	}
	p.log, p.logErr = store.Inspect(logPath(c))
	var b bytes.Buffer
	for _, k := range append(checks(), optionalChecks(p)...) {
		f := k.look(ctx, p)
		if slices.Contains(unbundled(), k.name) {
			f = finding{mark: f.mark}
		}
		_, _ = b.WriteString(f.text(k, cli.Both))
	}
	return b.Bytes()
}
