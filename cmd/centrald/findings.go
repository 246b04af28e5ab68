package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/fleet"
	"haochaping/internal/cli"
	"haochaping/internal/condition"
	"haochaping/internal/rating"
)

// listedFinding is a finding as "centrald findings -json" prints it.
type listedFinding struct {
	Device   rating.DeviceID `json:"device,omitzero"`  // empty where it is about no box
	Source   string          `json:"source,omitempty"` // the business system or channel that it is about, if it is no box
	Hall     string          `json:"hall,omitempty"`
	Unit     string          `json:"unit,omitempty"`   // of a silent channel, which Source then names
	Window   string          `json:"window,omitempty"` // empty for a device that is not enrolled
	Epoch    rating.Epoch    `json:"epoch,omitzero"`   // empty by phone
	From     uint64          `json:"from"`
	To       uint64          `json:"to"`
	Count    int64           `json:"count"`
	Kind     string          `json:"kind"`
	Detail   condition.Text  `json:"detail"`
	Means    condition.Text  `json:"means"`
	Do       condition.Text  `json:"do"`
	Found    time.Time       `json:"found_at"`
	Resolved time.Time       `json:"resolved_at,omitzero"`
}

// findings lists what is wrong with what the boxes have sent.
func (c *command) findings(ctx context.Context, args []string) error {
	flags := c.flags("centrald findings")
	all := flags.Bool("all", false, cli.Words("也列出已解决的", "list the resolved ones too"))
	most := flags.Int("limit", 1000, cli.Words("最多列出的`条数`，最新的在前", "list at most this `many`, the newest first"))
	asJSON := flags.Bool("json", false, cli.Words("输出 JSON 数组", "print a JSON array"))
	return c.onWritten(ctx, flags, args, func(x *rooms) error { return c.printFindings(ctx, x, *all, *most, *asJSON) })
}

func (c *command) printFindings(ctx context.Context, x *rooms, all bool, most int, asJSON bool) error {
	if err := x.caughtUp(ctx, c.env.stderr); err != nil {
		return err
	}
	listed, err := x.listFindings(ctx, !all, most)
	if err != nil {
		return err
	}
	open, resolved, err := x.books.FindingCounts(ctx)
	if err != nil {
		return err
	}
	silent, err := x.deadlines.Silences(ctx)
	if err != nil {
		return err
	}
	for _, s := range silent {
		l, err := x.listedSilence(ctx, s)
		if err != nil {
			return err
		}
		listed = append(listed, l)
	}
	if asJSON {
		return c.printJSON(listed)
	}
	for _, f := range listed {
		if err := c.printFinding(f); err != nil {
			return err
		}
	}
	if open == 0 && len(silent) == 0 {
		err = c.say("没有未处理的异常", "nothing is open")
	}
	if left := open - int64(len(listed)-len(silent)); left > 0 {
		err = errors.Join(err, c.say("另有 %d 项未处理；用 -limit 列出", "%d more are open; -limit lists them", left))
	}
	if resolved > 0 && !all {
		err = errors.Join(err, c.say("%d 项已解决；用 -all 列出", "%d resolved; -all lists them", resolved))
	}
	return err
}

// listFindings returns the findings, the newest first.
func (x *rooms) listFindings(ctx context.Context, open bool, most int) ([]listedFinding, error) {
	const page = 200
	listed := []listedFinding{}
	for after := int64(0); len(listed) < most; {
		some, err := x.books.Findings(ctx, books.Filter{Open: open, After: after, Limit: min(page, most-len(listed))})
		if err != nil {
			return nil, err
		}
		for _, f := range some {
			l, err := x.listed(ctx, f)
			if err != nil {
				return nil, err
			}
			listed, after = append(listed, l), f.ID
		}
		if len(some) == 0 {
			break
		}
	}
	return listed, nil
}

// listed returns a finding with its window and what to do.
func (x *rooms) listed(ctx context.Context, f books.Finding) (listedFinding, error) {
	d, err := x.fleet.Known(ctx, f.Device)
	if err != nil && !errors.Is(err, fleet.ErrNoDevice) {
		return listedFinding{}, err
	}
	name := d.Window.Name
	if name == "" {
		name = d.Window.ID
	}
	means, do := explain(f.Kind)
	return listedFinding{Device: f.Device, Source: f.Source, Hall: d.Window.Hall, Window: name, Epoch: f.Epoch, From: f.From, To: f.To,
		Count: f.Count,
		Kind:  string(f.Kind), Detail: f.Words(), Means: means, Do: do, Found: f.Found, Resolved: f.Resolved}, nil
}

func (c *command) printFinding(f listedFinding) error {
	var b strings.Builder
	if f.Unit != "" {
		fmt.Fprintf(&b, "%s  %s (%s)\n", f.Kind, f.Source, c.lang.Say("单位 "+f.Unit, "unit "+f.Unit))
	} else {
		c.fromBox(&b, f)
	}
	fmt.Fprintf(&b, "  %s: %s\n", c.lang.Say("发现", "found")+" "+f.Found.In(rating.Shanghai()).Format(time.RFC3339), c.lang.Text(f.Detail))
	if !f.Resolved.IsZero() {
		fmt.Fprintf(&b, "  %s\n\n", c.lang.Say("已解决", "resolved")+" "+f.Resolved.In(rating.Shanghai()).Format(time.RFC3339))
	} else {
		c.twoLines(&b, "含义", "means", f.Means)
		c.twoLines(&b, "处理", "do", f.Do)
		b.WriteString("\n")
	}
	_, err := io.WriteString(c.env.stdout, b.String())
	return err
}

// fromBox writes which records a finding is about, and whose they are.
func (c *command) fromBox(b *strings.Builder, f listedFinding) {
	at := strings.TrimSpace(f.Hall + " " + f.Window)
	if at == "" {
		at = c.lang.Say("未登记", "not enrolled")
	}
	if f.Source != "" {
		at = c.lang.Say("不是评价器", "no box")
	}
	zh, en := fmt.Sprintf("第 %d 条", f.From), fmt.Sprintf("record %d", f.From)
	if f.To != f.From {
		zh, en = fmt.Sprintf("第 %d 至 %d 条", f.From, f.To), fmt.Sprintf("records %d to %d", f.From, f.To)
	}
	fmt.Fprintf(b, "%s  %s (%s), epoch %s, %s\n", f.Kind, string(f.Device)+f.Source, at, f.Epoch, c.lang.Say(zh, en))
}

// twoLines writes a text with a line for each language.
func (c *command) twoLines(b *strings.Builder, zh, en string, t condition.Text) {
	if c.lang != cli.English {
		fmt.Fprintf(b, "  %s  %s\n", zh, t.ZH)
	}
	if c.lang != cli.Chinese {
		fmt.Fprintf(b, "  %-5s %s\n", en, t.EN)
	}
}

// explain says what a kind of finding means and what to do about it.
func explain(k books.FindingKind) (means, do condition.Text) {
	switch k {
	case books.Gap:
		return condition.Text{ZH: "评价器已没有这些记录，账本中也没有；除非找回，其中的评价已丢失。",
				EN: "The box no longer holds these records, and they are not in the books; evaluations among them are lost unless they are found."},
			condition.Text{ZH: "若账本是从副本恢复的，从被替换的文件中取回缺失的记录；否则找到评价器的 log.db（包括因损坏而另存的）并保存好。",
				EN: "If the books were restored from a copy, take the missing records from the file that was replaced. Else look for the box's " +
					"log.db, also for one that was set aside as damaged, and keep it."}
	case books.Fork:
		return condition.Text{ZH: "同一编号有两条不同的记录。很可能是复制了存储卡，两台评价器用同一名称和密钥；也可能有人拿到了评价器的密钥。账本采用先到的，另一条保留。",
				EN: "Two different records have each of these numbers. Most likely two boxes run with one name and key, as after a card was copied; " +
					"or somebody has the box's key. The books count what came first and keep the other."},
			condition.Text{ZH: "查明哪些评价器用这个名称。停用副本，给它自己的名称和密钥并登记。若没有副本，说明密钥已泄露：给评价器换新密钥（centrald device add -replace-key）。",
				EN: "Find out which boxes use this name. Stop the copy, give it a name and key of its own, and enrol it. If there is no copy, the " +
					"key is known to somebody: give the box a new key (centrald device add -replace-key)."}
	case books.ForkGap:
		return condition.Text{ZH: "两份同名记录中的第二份发来了这一条之后的记录，但没有这一条。",
				EN: "The second of two logs with this name has sent what follows on this record, but not the record."},
			condition.Text{ZH: "按同一评价器的 fork 处理。副本停用之前，这条记录仍可能到达。",
				EN: "Do what the fork of the same box says. Until the copy is stopped, the record may still come."}
	case books.BrokenChain:
		return condition.Text{ZH: "这条记录接不上前一条：评价器的记录文件被改动或损坏，或属于评价器的副本。",
				EN: "The record does not follow from the one before it: the box's log was changed or damaged, or belongs to a copy of the box."},
			condition.Text{ZH: "若同一评价器也有 fork，它就是副本；否则查看评价器当天的记录，检查存储卡，保存其 log.db。",
				EN: "If the box has a fork too, it is the copy. Else look at the box's log of that day, check its card, and keep its log.db."}
	case books.Reopened:
		return condition.Text{ZH: "评价器把同一次办理又记录了一次，办件或人员不同。以先记录的为准，第二条保留。",
				EN: "The box has recorded one visit a second time, with other cases or staff. What it had recorded of it first holds; the second " +
					"record is kept."},
			condition.Text{ZH: "评价器自己不会这样。查看两条记录（ratingctl log），查明谁接触过评价器或其密钥。",
				EN: "No box does that by itself. Look at both records (ratingctl log), and find out who had the box or its key."}
	case books.Quarantine:
		return condition.Text{ZH: "这条记录无法读取，不计入。其内容保留，并已告知评价器。",
				EN: "The record cannot be read as one, so nothing of it counts. Its bytes are kept, and the box was told."},
			condition.Text{ZH: "比较 ratingd 和 centrald 的版本；较新的评价器可能发来本中心不认识的内容。版本相符则是评价器的存储卡损坏。",
				EN: "Compare the versions of ratingd and centrald; a newer box may send what this centre does not know. If the versions fit, the " +
					"box's card is damaged."}
	case books.Displaced:
		return condition.Text{ZH: "后到的评价按账本所知的时间给出得更早，现在代替了原来计入的评价。两者都保留。离线的评价器会出现这种情况。",
				EN: "An evaluation that came later was given earlier, by the time that the books know, and now counts in place of one that did. Both " +
					"are kept. A box that was offline does that."},
			condition.Text{ZH: "若评价器一直在线，查明谁接触过它、它的密钥或时钟。",
				EN: "If the box was online all the time, find out who had it, its key or its clock."}
	case books.Contradiction:
		return condition.Text{ZH: "业务系统对同一办件的说法与之前不同，而且不是更正。以先说的为准。",
				EN: "A business system says otherwise of a case than was said before, and not as a correction. What came first holds."},
			condition.Text{ZH: "查看两条消息；若后一条正确，请以更正（corrects）重新发送。",
				EN: "Look at both messages; if the later one is right, have it sent again as a correction (corrects)."}
	case books.Crowd:
		return condition.Text{ZH: "一台设备对同一办件或同一次办理发来的答复超过核对的数量，或业务系统在一个批次或主题中列了更多办件。只看先到的，其余保留，不计入。",
				EN: "One device has sent more answers about one case or visit than are looked at, or a business system has named more cases of one " +
					"batch or theme. What came first is looked at; the others are kept, and count for nothing there."},
			condition.Text{ZH: "评价器自己不会这样：查明谁接触过它或其密钥。办件如此多的批次应分成几批。",
				EN: "No box does that by itself: find out who had it or its key. A batch of so many cases is to be told as several."}
	case books.Damage:
		return condition.Text{ZH: "评价器的文件损坏，例如断电或存储卡老化。评价器已将其另存，并送来能读取的记录。",
				EN: "A file of the box was damaged, as by a power cut or a worn card. The box has set it aside and brings what it can read."},
			condition.Text{ZH: "等评价器送完，再看同一评价器有没有 gap。再次发生则更换存储卡。",
				EN: "Wait until the box has brought it, then look for gaps of the same box. Replace a card that does this twice."}
	}
	return condition.Text{ZH: "这个版本的 centrald 不认识这类异常。", EN: "This version of centrald does not know this kind of finding."},
		condition.Text{ZH: "请用中心所运行的版本。", EN: "Use the version that the centre runs."}
}
