package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"

	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/condition"
	"haochaping/internal/recordkey"
	"haochaping/sync/wire"
)

// identity prints who the box is. The box's key is drawn if it has none yet.
func identity(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("ratingctl identity", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cli.Describe(ctx, flags, condition.Text{})
	asJSON := flags.Bool("json", false, cli.Words("以 JSON 输出", "print it as JSON"))
	c, err := parsedConfig(flags, args)
	if err != nil || c == nil {
		return err
	}
	err = c.Birth(rand.Reader)
	var key crypto.Signer
	if err == nil {
		key, err = c.Identity()
	}
	if err != nil {
		return cli.Hint(err, "密钥在存储目录中；请以运行 ratingd 的用户运行", "the key is in the state folder; run this as the user that runs ratingd")
	}
	public := recordkey.Public(key)
	if *asJSON {
		return printJSON(stdout, map[string]string{"device": string(c.Device), "public_key": keyText(key),
			"fingerprint": wire.Fingerprint(public), "algorithm": string(recordkey.Of(public))})
	}
	lang, tab := cli.LangOf(ctx), tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
	// A tabwriter holds its text back; what goes wrong shows at Flush.
	_, _ = fmt.Fprintf(tab, "%s\t%s\n%s\t%s\n%s\t%s\n%s\t%s\n",
		lang.Say("设备名", "device"), c.Device, lang.Say("公钥", "public key"), keyText(key),
		lang.Say("指纹", "fingerprint"), wire.Fingerprint(public), lang.Say("算法", "algorithm"), recordkey.Of(public))
	return tab.Flush()
}

// printJSON prints a value for programs.
func printJSON(stdout io.Writer, v any) error {
	e := json.NewEncoder(stdout)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// keyText returns the public part of a key as configurations and commands write it.
func keyText(k crypto.Signer) string {
	return recordkey.Text(recordkey.Public(k))
}

// parsedConfig reads the configuration that the arguments name, with flags of the command's own. It returns nil for a call for help.
func parsedConfig(flags *flag.FlagSet, args []string) (*boxconfig.Config, error) {
	path := flags.String("config", "/etc/ratingd.toml", cli.Words("评价器的配置`文件`", "the box's configuration `file`"))
	if err := cli.Parse(flags, args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, nil
		}
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, cli.Unexpected(flags.Arg(0))
	}
	c, err := boxconfig.LoadPartial(*path)
	if err != nil {
		return nil, cli.Hint(err, "用 -config 写另一个文件；ratingd -print-config 打印一份可供开始的配置",
			"name another file with -config; ratingd -print-config prints one to begin with")
	}
	return &c, nil
}
