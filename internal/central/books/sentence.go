package books

import (
	"fmt"
	"strings"
	"time"

	"haochaping/internal/central/journal"
	"haochaping/internal/condition"
	"haochaping/internal/rating"
)

// sentence is what a finding says in detail, in both languages. The tables keep it in English as it was made, and words finds out again
// which it was. The English one has %s, the Chinese one %[1]s and so on.
type sentence struct{ en, zh string }

// The sentences of findings.
const (
	saidUnlinked  = "the record does not follow from the one before it"
	saidReleased  = "the box has let these records go and they are not in the books"
	saidLost      = "the records were in a store file that was damaged, and could not be salvaged"
	saidTwice     = "two different records have this number"
	saidForkGap   = "a second log was forked, and its record with this number is not here"
	saidReopened  = "visit %s was opened twice, and differently"
	saidDamaged   = "the box has set aside its store file %s: %s"
	saidDisplaced = "of %s the evaluation of %s, counts now in place of that of %s"
	saidCrowded   = "%s has more answers of this device than are looked at; this one is kept and counts for nothing there"
	saidTogether  = "case %s: %s has %s cases before; it stands for itself"
	saidOtherwise = "case %s: %s is %s, and is now said to be %s" // as rating.Contradiction says it
	saidMore      = "more findings of this kind than are listed one by one, which is %s"
)

// sentences returns all.
func sentences() []sentence {
	return []sentence{
		{saidUnlinked, "这条记录接不上前一条"},
		{saidReleased, "评价器已不再保存这些记录，账本中也没有"},
		{saidLost, "这些记录在损坏的存储文件中，未能找回"},
		{saidTwice, "这个编号有两条不同的记录"},
		{saidForkGap, "分叉出的第二份日志缺这个编号的记录"},
		{saidReopened, "办理 %[1]s 被记录了两次，内容不同"},
		{saidDamaged, "评价器已把存储文件 %[1]s 另存：%[2]s"},
		{saidDisplaced, "%[1]s：%[2]s 的评价，现在代替 %[3]s 的评价计入"},
		{saidCrowded, "同一设备对%[1]s的评价超过核对的数量；这一份另存，不计入"},
		{saidTogether, "办件 %[1]s：%[2]s 已有 %[3]s 个办件，这一件单独计"},
		{saidOtherwise, "办件 %[1]s：%[2]s 原为 %[3]s，现在说是 %[4]s"},
		{saidMore, "同类异常超过逐条列出的 %[1]s 处，其余只计数"},
		{journal.Replaced, "这台评价器已被更换，更换之后的记录不计入"},
	}
}

// The phrases of which some are made.
const (
	saidCase   = "case %s"
	saidVisit  = "visit %s"
	saidPhone  = "a phone for %s"
	saidRecord = "%s, record %s of epoch %s"
	// saidChannel has a channel besides the box.
	saidChannel = "an answer by %s"
)

func phrases() []sentence {
	return []sentence{{saidCase, "办件 %[1]s"}, {saidVisit, "办理 %[1]s"}, {saidPhone, "%[1]s 手机"}, {saidChannel, "%[1]s"},
		{saidRecord, "%[1]s 第 %[2]s 条（日志 %[3]s）"}}
}

// Words returns what a finding says in detail, in Chinese and in English. What a box or a program has said itself stays as it came.
func (f Finding) Words() condition.Text {
	return condition.Text{ZH: inChinese(f.Kind, f.Detail), EN: f.Detail}
}

func inChinese(kind FindingKind, detail string) string {
	for _, s := range sentences() {
		args, ok := read(s.en, detail)
		if !ok {
			continue
		}
		if s.en == saidDisplaced || s.en == saidCrowded {
			for i, a := range args {
				args[i] = phrase(a)
			}
		}
		return s.say(args)
	}
	if kind == Quarantine {
		return "读不懂的原因：" + detail
	}
	return detail
}

// phrase returns what an evaluation is named by, with the moment behind it if there is one.
func phrase(text string) string {
	when := ""
	if i := strings.LastIndex(text, ", "); i >= 0 {
		if at, err := time.Parse(time.RFC3339, text[i+len(", "):]); err == nil {
			text, when = text[:i], "（"+at.In(rating.Shanghai()).Format("2006-01-02 15:04:05")+"）"
		}
	}
	for _, s := range phrases() {
		if args, ok := read(s.en, text); ok {
			if s.en == saidChannel {
				args[0] = rating.Channel(args[0]).Chinese()
			}
			return s.say(args) + when
		}
	}
	return text + when
}

func (s sentence) say(args []string) string {
	all := make([]any, len(args))
	for i, a := range args {
		all[i] = a
	}
	return fmt.Sprintf(s.zh, all...)
}

// read returns what stands in the places of a format, or false if it does not make such a text. Each place ends where the words behind it
// begin first.
func read(format, text string) (args []string, ok bool) {
	words := strings.Split(format, "%s")
	text, ok = strings.CutPrefix(text, words[0])
	for i, w := range words[1:] {
		if !ok {
			return nil, false
		}
		if i == len(words)-2 { // the last place takes the rest
			arg, found := strings.CutSuffix(text, w)
			return append(args, arg), found
		}
		var arg string
		arg, text, ok = strings.Cut(text, w)
		args = append(args, arg)
	}
	return args, ok && text == ""
}
