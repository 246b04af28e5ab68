package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/fleet"
	"haochaping/internal/cli"
	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
	"haochaping/sync/wire"
)

// printKey prints the centre's public key.
func (c *command) printKey(ctx context.Context, args []string) error {
	flags := c.flags("centrald key")
	asJSON := flags.Bool("json", false, cli.Words("输出 JSON 对象", "print a JSON object"))
	ofSeal := flags.Bool("seal", false,
		cli.Words("为日志头签名的密钥，见证方须知道它", "the key that signs the journal's heads, which witnesses must know"))
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
	if err := cfg.keyKept(ctx); err != nil {
		return err
	}
	name := keyFile
	if *ofSeal {
		name = sealFile
	}
	path := filepath.Join(cfg.State, name)
	_, missing := os.Stat(path)
	key, err := keptKey(path, c.env.random)
	if err != nil {
		return err
	}
	if errors.Is(missing, fs.ErrNotExist) {
		_, _ = fmt.Fprintf(c.env.stderr, "centrald: %s\n", c.lang.Say(cfg.State+" 中没有密钥；这是新建的，用于新的中心", // the key matters more
			"there was no key in "+cfg.State+"; this is a new one, for a new centre"))
	}
	public := keyText(key.Public().(ed25519.PublicKey))
	if *asJSON {
		return c.printJSON(printedKey{map[bool]string{false: "centre", true: "seal"}[*ofSeal], public,
			wire.Fingerprint(key.Public().(ed25519.PublicKey))})
	}
	_, err = fmt.Fprintln(c.env.stdout, public)
	return err
}

// printedKey is a public key as "centrald key -json" prints it.
type printedKey struct {
	Use         string `json:"use"` // centre or seal
	Key         string `json:"public_key"`
	Fingerprint string `json:"fingerprint"`
}

// device runs the commands about devices.
func (c *command) device(ctx context.Context, args []string) error {
	return c.oneOf(ctx, "centrald device", args, []word{{"add", c.addDevice}, {"import", c.importDevices}, {"list", c.listDevices}})
}

// addDevice enrols a device, or changes the window of one that is enrolled.
func (c *command) addDevice(ctx context.Context, args []string) (err error) {
	said, err := c.parseDevice(args)
	if err != nil {
		return ignoreHelp(err)
	}
	d, err := said.device(c.env.now())
	if err != nil {
		return err
	}
	x, err := c.openConfigured(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	if said.post != "" {
		if d, err = c.atPost(ctx, x, d, said.post); err != nil {
			return fmt.Errorf("-window-id: %w", err)
		}
	}
	if d, err = c.enrolled(ctx, x.fleet, d, said.replaceKey); err != nil {
		return err
	}
	return errors.Join(
		c.say("%s 服务于窗口 %s，第 %d 次分配", "%s serves %s, generation %d", d.ID, d.Window.ID, d.Window.Generation),
		c.say("等待登记时其屏幕显示指纹 %s；显示的不同，就是另一台评价器的公钥",
			"its screen shows %s while it waits to be enrolled; if it shows another, this is the key of another box", wire.Fingerprint(d.Key)))
}

// saidDevice is what the arguments say of a device.
type saidDevice struct {
	id, key, roster, post string
	replaceKey            bool
	window                rating.Window
	walkUp, linkEvery     time.Duration
	generation            uint
}

func (c *command) parseDevice(args []string) (s saidDevice, err error) {
	flags, w := c.flags("centrald device add"), &s.window
	flags.StringVar(&s.id, "id", "", cli.Words("评价器的`名称`，与标签一致", "the box's `name`, as on its label"))
	flags.StringVar(&s.key, "key", "",
		cli.Words("评价器的`公钥`，43 个字符，或 sm2: 后接 87 个", "the box's public `key`, 43 characters, or sm2: and 87"))
	flags.BoolVar(&s.replaceKey, "replace-key", false,
		cli.Words("已登记的评价器更换硬件后，接受新的公钥", "accept another key for an enrolled box whose hardware was replaced"))
	flags.StringVar(&w.Hall, "hall", "", cli.Words("大厅`名称`，供市民阅读", "the hall's `name`, as citizens read it"))
	flags.StringVar(&w.Area, "area", "",
		cli.Words("大厅所在行政区划`代码`，12 或 6 位：办件编号只在同一区划内唯一",
			"the hall's area, a `code` of 12 or 6 digits: project numbers are unique within an area only"))
	flags.StringVar(&w.ID, "window", "", cli.Words("窗口`编号`", "the window's `number`"))
	flags.StringVar(&w.Name, "name", "", cli.Words("窗口`名称`，供市民阅读", "the window's `name`, as citizens read it"))
	flags.StringVar(&w.Staff.ID, "staff-id", "",
		cli.Words("无人签到的窗口，工作人员的`工号`", "`number` of the person who serves there, where nobody signs in"))
	flags.StringVar(&w.Staff.Name, "staff-name", "", cli.Words("其`姓名`", "that person's `name`"))
	flags.StringVar(&w.Staff.Department, "department", "", cli.Words("其`部门`", "that person's `department`"))
	flags.BoolVar(&w.SignIn, "sign-in", false,
		cli.Words("无人签到且未指定人员时窗口关闭", "the window is closed while nobody is signed in and nobody is assigned"))
	flags.DurationVar(&s.walkUp, "walk-up", 0,
		cli.Words("业务系统不发起评价的窗口，有人即可评价，两次评价之间的`间隔`：1s 至 10m",
			"ask whoever stands there, with this `pause` between answers, for a window whose business system opens no visits: 1s to 10m"))
	flags.DurationVar(&s.linkEvery, "walk-up-link", 5*time.Minute,
		cli.Words("这样的窗口每个二维码显示的`时长`：1m 至 10m", "how `long` a walk-up window shows one QR code: 1m to 10m"))
	flags.StringVar(&s.roster, "roster", "",
		cli.Words("可在此签到的人员 TOML `文件`：[[member]]，含 id、name、department、card、photo（JPEG 路径）",
			"a TOML `file` with those who may sign in there: [[member]] with id, name, department, card, photo (a JPEG's path)"))
	flags.StringVar(&s.post, "window-id", "",
		cli.Words("机构中窗口的`编号`，大厅、名称和人员由此得知（centrald directory list window）",
			"the `ID` of a window of the organisation, which says hall, name and staff (centrald directory list window)"))
	flags.UintVar(&s.generation, "generation", 0,
		cli.Words("本次分配的`序号`，大于上一次；0：下一个", "the `number` of this assignment, greater than the last; 0: the next"))
	if err := cli.Parse(flags, args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, cli.Unexpected(flags.Arg(0))
	}
	return s, nil
}

// device returns the device as the arguments say it.
func (s saidDevice) device(now time.Time) (d fleet.Device, err error) {
	d = fleet.Device{Window: s.window, EnrolledAt: now}
	if s.walkUp > 0 {
		d.Window.WalkUp = &rating.WalkUp{PauseSec: int(s.walkUp / time.Second), LinkSec: int(s.linkEvery / time.Second)}
	}
	d.Window.Area = rating.PadArea(d.Window.Area)
	if d.ID, err = rating.ParseDeviceID(s.id); err != nil {
		return d, fmt.Errorf("-id: %w", err)
	}
	if d.Key, err = parseBoxKey(s.key); err != nil {
		return d, fmt.Errorf("-key: %w", err)
	}
	if s.generation > 1<<32-1 {
		return d, fmt.Errorf("-generation: %d is out of range", s.generation)
	}
	d.Window.Generation = uint32(s.generation)
	if d.Roster, err = readRoster(s.roster); err != nil {
		return d, fmt.Errorf("-roster: %w", err)
	}
	return d, nil
}

// enrolled puts a device into the fleet, and returns it as it stands there: with the next generation, if none was said.
func (c *command) enrolled(ctx context.Context, f *fleet.Fleet, d fleet.Device, replaceKey bool) (fleet.Device, error) {
	before, err := f.Device(ctx, d.ID)
	switch {
	case errors.Is(err, fleet.ErrNoDevice):
		d.Window.Generation = max(d.Window.Generation, 1)
	case err != nil:
		return d, err
	default:
		if d, err = follow(before, d, replaceKey); err != nil {
			return d, err
		}
	}
	if err := unused(ctx, f, d); err != nil {
		return d, err
	}
	if err := d.Window.Check(); err != nil {
		return d, fmt.Errorf("device %s: %w", d.ID, err)
	}
	return d, f.Enter(ctx, c.operator(), d)
}

// atPost returns the device as it serves a window of the organisation today.
func (c *command) atPost(ctx context.Context, x *rooms, d fleet.Device, window string) (fleet.Device, error) {
	if d.Window.ID != "" || d.Window.Hall != "" || d.Window.Name != "" || d.Window.Area != "" || d.Window.Staff != (rating.Staff{}) {
		return d, errors.New("the organisation says hall, name and staff of its windows; leave out -hall, -window, -name and those of staff")
	}
	posts, err := x.directory.Posts(ctx, directory.DayOf(c.env.now()))
	if err != nil {
		return d, err
	}
	w, people, err := posts.Texts(window)
	if err != nil {
		return d, err
	}
	for _, m := range d.Roster {
		if !slices.ContainsFunc(people, func(s rating.Staff) bool { return s.ID == m.ID }) {
			return d, fmt.Errorf("-roster: %s does not serve at the window %s today; the roster adds cards and photos to those who do", m.ID, window)
		}
	}
	return d.Serve(w, people), nil
}

// unused makes sure that no other box is enrolled with the key: two boxes with one key could each write the other's records.
func unused(ctx context.Context, boxes *fleet.Fleet, d fleet.Device) error {
	all, err := boxes.Devices(ctx)
	if err != nil {
		return err
	}
	for _, other := range all {
		if other.ID != d.ID && bytes.Equal(other.Key, d.Key) {
			return fmt.Errorf("-key: the box %s is enrolled with this key; run \"ratingctl identity\" on the box %s itself. If its card is a "+
				"copy, remove %s from the copy's state folder first",
				other.ID, d.ID, "device.key")
		}
	}
	return nil
}

// follow checks and completes the new state of a device that is enrolled. A window changes only with a greater generation,
// since the box ignores any other.
func follow(before, d fleet.Device, replaceKey bool) (fleet.Device, error) {
	if !bytes.Equal(before.Key, d.Key) && !replaceKey {
		return fleet.Device{}, fmt.Errorf("device %s is enrolled with another key; if its hardware was replaced, add -replace-key", d.ID)
	}
	d.EnrolledAt = before.EnrolledAt
	last := before.Window.Generation
	same := d.Window
	same.Generation = last
	switch {
	case reflect.DeepEqual(same, before.Window) && reflect.DeepEqual(d.Roster, before.Roster) && d.Follows == before.Follows &&
		(d.Window.Generation == 0 || d.Window.Generation == last):
		d.Window = before.Window
	case d.Window.Generation == 0:
		d.Window.Generation = last + 1
	case d.Window.Generation <= last:
		return fleet.Device{}, fmt.Errorf("device %s has generation %d, %d does not come after it; leave -generation out to take the next",
			d.ID, last, d.Window.Generation)
	}
	return d, nil
}

// listDevices prints the enrolled devices.
func (c *command) listDevices(ctx context.Context, args []string) error {
	flags := c.flags("centrald device list")
	asJSON := flags.Bool("json", false, cli.Words("输出 JSON 数组", "print a JSON array"))
	return c.onWritten(ctx, flags, args, func(x *rooms) error {
		devices, err := x.fleet.Devices(ctx)
		if err != nil {
			return err
		}
		states, err := x.states(ctx)
		if err != nil {
			return err
		}
		how := make(map[rating.DeviceID]fleet.State, len(states))
		for _, s := range states {
			how[s.ID] = s
		}
		now := c.env.now()
		if *asJSON {
			return c.devicesAsJSON(devices, how, now)
		}
		tab := tabwriter.NewWriter(c.env.stdout, 0, 8, 2, ' ', 0)
		// A tabwriter holds its text back; what goes wrong shows at Flush.
		_, _ = fmt.Fprintln(tab, c.lang.Head("设备名\t状态\t故障\t窗口\t名称\t大厅\t第几次分配\t登记时间\t指纹\t公钥",
			"DEVICE\tSTANDING\tTROUBLES\tWINDOW\tNAME\tHALL\tGENERATION\tENROLLED\tFINGERPRINT\tKEY"))
		for _, d := range devices {
			s := how[d.ID]
			_, _ = fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", d.ID, s.Standing(now), strings.Join(codes(s, now), " "), d.Window.ID,
				d.Window.Name, d.Window.Hall, d.Window.Generation,
				d.EnrolledAt.In(rating.Shanghai()).Format(time.RFC3339), wire.Fingerprint(d.Key), recordkey.Text(d.Key))
		}
		return tab.Flush()
	})
}

// listed is a device as "device list -json" has it.
type listed struct {
	Device      rating.DeviceID `json:"device"`
	Window      rating.Window   `json:"window"`
	Enrolled    time.Time       `json:"enrolled"`
	Fingerprint string          `json:"fingerprint"`
	Key         string          `json:"key"`
	Standing    fleet.Standing  `json:"standing"`        // as on the page
	Heard       *time.Time      `json:"heard,omitempty"` // when it said something last
	Troubles    []string        `json:"troubles"`        // codes
}

// codes returns the codes of what is not well with a box, the gravest first.
func codes(s fleet.State, now time.Time) []string {
	all := []string{}
	for _, k := range s.Troubles(now) {
		all = append(all, string(k.Code))
	}
	return all
}

func (c *command) devicesAsJSON(all []fleet.Device, how map[rating.DeviceID]fleet.State, now time.Time) error {
	out := []listed{}
	for _, d := range all {
		s := how[d.ID]
		x := listed{d.ID, d.Window, d.EnrolledAt.UTC(), wire.Fingerprint(d.Key), recordkey.Text(d.Key), s.Standing(now), nil, codes(s, now)}
		if at := s.Heard().UTC(); !s.Heard().IsZero() {
			x.Heard = &at
		}
		out = append(out, x)
	}
	return c.printJSON(out)
}
