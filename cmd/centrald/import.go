package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/fleet"
	"haochaping/internal/cli"
	"haochaping/internal/rating"
)

// importColumns are the columns of the file that importDevices reads, by the names in its first line. The others may be missing.
func importColumns() [][2]string {
	return [][2]string{{"id", "编号"}, {"key", "公钥"}, {"window", "窗口"}, {"hall", "大厅"}, {"name", "名称"}, {"area", "区划代码"}, {"window_id", "窗口编号"}}
}

// maxImportFaults is how many wrong lines are named at once.
const maxImportFaults = 20

// importDevices enrols the devices of a file, or changes their windows. It writes none before all lines are right.
func (c *command) importDevices(ctx context.Context, args []string) (err error) {
	flags := c.flags("centrald device import")
	path := flags.String("csv", "",
		cli.Words("CSV 或 XLSX `文件`，首行为列名：id、key，以及 window（可加 hall、name、area）或 window_id",
			"a `file`, CSV or XLSX; its first line names the columns: id, key, and window with if wanted hall, name and area, or window_id"))
	if err := cli.Parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	if flags.NArg() > 0 || *path == "" {
		return cli.Usage("centrald device import 需要 -csv 文件，没有其他参数", "centrald device import takes -csv FILE and nothing else")
	}
	rows, err := readRows(*path)
	if err != nil {
		return fmt.Errorf("-csv: %w", err)
	}
	x, err := c.openConfigured(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	all, err := x.fleet.Devices(ctx)
	if err != nil {
		return err
	}
	in := newImporter(all)
	if in.posts, err = x.directory.Posts(ctx, directory.DayOf(c.env.now())); err != nil {
		return err
	}
	if err := in.read(rows); err != nil {
		return fmt.Errorf("%s: %w; no device was enrolled", *path, err)
	}
	for i := range in.devices {
		d := &in.devices[i]
		d.EnrolledAt = c.env.now()
		if before, ok := in.enrolled[d.ID]; ok {
			d.EnrolledAt = before.EnrolledAt
		}
	}
	end := cli.Waiting(ctx, c.env.stderr, "正在登记", "enrolling")
	defer end()
	if err := x.fleet.EnterAll(ctx, c.operator(), in.devices); err != nil {
		return fmt.Errorf("%s: %w; devices before and after it may be enrolled, run it again for the others", *path, err)
	}
	return c.say("已按文件登记 %d 台评价器", "%d devices are enrolled as the file says", len(in.devices))
}

// importer reads the lines of a file beside what is enrolled.
type importer struct {
	enrolled map[rating.DeviceID]fleet.Device
	owners   map[string]rating.DeviceID // by key: two boxes with one key could each write the other's records
	seen     map[rating.DeviceID]int    // lines
	posts    fleet.Posts
	devices  []fleet.Device
}

func newImporter(all []fleet.Device) *importer {
	in := &importer{enrolled: make(map[rating.DeviceID]fleet.Device), owners: make(map[string]rating.DeviceID),
		seen: make(map[rating.DeviceID]int)}
	for _, d := range all {
		in.enrolled[d.ID], in.owners[string(d.Key)] = d, d.ID
	}
	return in
}

// readRows reads the lines of a file in which anything stands.
func readRows(path string) ([]directory.Row, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was read
	b, err := io.ReadAll(io.LimitReader(f, directory.MaxFile+1))
	if err != nil {
		return nil, err
	}
	rows, err := directory.Rows(b)
	return slices.DeleteFunc(rows, directory.Row.Empty), err
}

// read reads the lines of a file and reports every wrong one, up to a number.
func (in *importer) read(rows []directory.Row) error {
	if len(rows) == 0 {
		return errors.New("the file is empty")
	}
	column, err := importHead(rows[0])
	if err != nil {
		return fmt.Errorf("the first line: %w", err)
	}
	var faults []error
	for _, r := range rows[1:] {
		if len(faults) == maxImportFaults {
			break
		}
		value := func(name string) string {
			if i, ok := column[name]; ok && i < len(r.Cells) {
				return strings.TrimSpace(r.Cells[i])
			}
			return ""
		}
		if r.Fault != nil {
			err = r.Fault
		} else if len(r.Cells) > len(rows[0].Cells) {
			err = errors.New("more fields than the first line names")
		} else {
			err = in.take(r.Number, value)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("line %d: %w", r.Number, err))
		}
	}
	return errors.Join(faults...)
}

// importHead returns where the columns stand that the first line names.
func importHead(head directory.Row) (map[string]int, error) {
	if head.Fault != nil {
		return nil, head.Fault
	}
	column := make(map[string]int)
	for i, cell := range head.Cells {
		name := strings.ToLower(strings.TrimSpace(cell))
		if name == "" {
			continue // a column to which nobody has given a name
		}
		j := slices.IndexFunc(importColumns(), func(known [2]string) bool { return name == known[0] || name == known[1] })
		if j < 0 {
			var known []string
			for _, c := range importColumns() {
				known = append(known, c[0]+" "+c[1])
			}
			return nil, fmt.Errorf("column %q is unknown; known are %s", cell, strings.Join(known, ", "))
		}
		if _, ok := column[importColumns()[j][0]]; ok {
			return nil, fmt.Errorf("the column %q stands there twice", cell)
		}
		column[importColumns()[j][0]] = i
	}
	for _, name := range []string{"id", "key"} {
		if _, ok := column[name]; !ok {
			return nil, fmt.Errorf("the column %q is missing", name)
		}
	}
	_, window := column["window"]
	if _, ok := column["window_id"]; !ok && !window {
		return nil, errors.New(`the column "window" or "window_id" is missing`)
	}
	return column, nil
}

// take takes one line.
func (in *importer) take(line int, field func(string) string) (err error) {
	var d fleet.Device
	if d.ID, err = rating.ParseDeviceID(field("id")); err != nil {
		return fmt.Errorf("id: %w", err)
	}
	if d.Key, err = parseBoxKey(field("key")); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	d.Window = rating.Window{ID: field("window"), Hall: field("hall"), Name: field("name"), Area: rating.PadArea(field("area"))}
	if before, ok := in.seen[d.ID]; ok {
		return fmt.Errorf("%s stands in line %d, too", d.ID, before)
	}
	if owner, ok := in.owners[string(d.Key)]; ok && owner != d.ID {
		return fmt.Errorf("the key of %s is that of %s; each box has its own", d.ID, owner)
	}
	if before, ok := in.enrolled[d.ID]; ok {
		d.Roster, d.Window.SignIn, d.Window.WalkUp = before.Roster, before.Window.SignIn, before.Window.WalkUp // not in the file
		if d, err = in.atPost(d, field); err != nil {
			return err
		}
		if d, err = follow(before, d, false); err != nil {
			return err
		}
	} else {
		if d, err = in.atPost(d, field); err != nil {
			return err
		}
		d.Window.Generation = 1
	}
	if err := d.Window.Check(); err != nil {
		return fmt.Errorf("%s: %w", d.ID, err)
	}
	in.seen[d.ID], in.owners[string(d.Key)] = line, d.ID
	in.devices = append(in.devices, d)
	return nil
}

// atPost returns a device as it serves the window of the organisation that its line names, if it names one.
func (in *importer) atPost(d fleet.Device, field func(string) string) (fleet.Device, error) {
	id := field("window_id")
	if id == "" {
		return d, nil
	}
	if d.Window.ID != "" || d.Window.Hall != "" || d.Window.Name != "" || d.Window.Area != "" {
		return d, fmt.Errorf("%s: the organisation says hall, name and area of the window %s; leave the other columns empty", d.ID, id)
	}
	w, people, err := in.posts.Texts(id)
	if err != nil {
		return d, fmt.Errorf("%s: window_id: %w", d.ID, err)
	}
	return d.Serve(w, people), nil
}
