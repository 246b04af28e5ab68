package main

import (
	"context"
	"errors"
	"slices"

	"haochaping/internal/central/db"
	"haochaping/internal/central/enrol"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/cli"
	"haochaping/internal/rating"
)

// certify lets boxes that were entered by hand have their first certificates without a code.
func (c *command) certify(ctx context.Context, args []string) (err error) {
	flags := c.flags("centrald certify")
	all := flags.Bool("all", false, cli.Words("所有已登记而从未有过证书的评价器", "all enrolled boxes that have never had a certificate"))
	if err := cli.Parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	if *all == (flags.NArg() > 0) {
		return cli.Usage("写评价器的名称，或 -all", "write the boxes' names, or -all")
	}
	x, err := c.openWritten(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	if x.enrol.Authority() == nil {
		return errNoDoor
	}
	devices, err := x.enrol.Uncertified(ctx)
	if err != nil {
		return err
	}
	if !*all {
		if devices, err = named(devices, flags.Args()); err != nil {
			return err
		}
	}
	for _, d := range devices {
		act := journal.Act{Do: "enrol.certify", Object: string(d.ID), Domain: d.Window.Area}
		_, err := x.journal.Do(ctx, c.operator(), "", act, func(ctx context.Context, tx *db.Tx, _ int64) error {
			return enrol.Certify(ctx, tx, d.ID, c.operator(), c.env.now())
		})
		if err != nil {
			return err
		}
	}
	days := int(enrol.CertifyLife.Hours() / 24)
	return c.say("%d 台评价器可在 %d 天内取证书：把 haochaping.toml 放到它们的启动分区，从 ratingd.toml 去掉 password_file，重启 ratingd",
		"%d boxes may have certificates within %d days: put haochaping.toml on their boot partitions, take password_file out of "+
			"ratingd.toml, and restart ratingd",
		len(devices), days)
}

// named returns those of some boxes that have the names.
func named(all []fleet.Device, names []string) (some []fleet.Device, err error) {
	for _, name := range names {
		i := slices.IndexFunc(all, func(d fleet.Device) bool { return d.ID == rating.DeviceID(name) })
		if i < 0 {
			return nil, cli.Errorf("没有登记 %[1]s，或它已有证书；要重新发证书，请在页面上接受它的配对码",
				"%[1]s is not enrolled, or has had a certificate; to give it another one, accept its code on the page", name)
		}
		some = append(some, all[i])
	}
	return some, nil
}
