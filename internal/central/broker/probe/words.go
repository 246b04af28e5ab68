package probe

import (
	"fmt"
	"strings"

	"haochaping/sync/wire"
)

// Text is a sentence for administrators in two languages.
type Text struct{ ZH, EN string }

// Finding is one thing that a broker lacks, and what to do.
type Finding struct {
	// Fault says that evaluations will not arrive as it is. Without it the finding is worth an eye, or could not be tried.
	Fault       bool
	Found, Todo Text
}

// Findings say what the broker lacks, faults first. A broker that has all has none.
func (r Result) Findings() []Finding {
	var faults, notes []Finding
	fault := func(zh, en, todoZH, todoEN string) {
		faults = append(faults, Finding{true, Text{zh, en}, Text{todoZH, todoEN}})
	}
	if len(r.Unreadable) > 0 {
		topics := strings.Join(r.Unreadable, ", ")
		fault("该代理不允许中心读取 "+topics+"，评价器的数据收不到", "the broker does not let the centre read "+topics+", so nothing arrives from the boxes",
			"检查代理的访问规则（deploy/broker）", "look at the broker's access rules (deploy/broker)")
	}
	if len(r.Unwritable) > 0 {
		topics := strings.Join(r.Unwritable, ", ")
		fault("该代理不允许中心写入 "+topics+"，评价器得不到确认或配置", "the broker does not let the centre write "+topics+
			", so boxes hear no acknowledgement or configuration",
			"检查代理的访问规则（deploy/broker）", "look at the broker's access rules (deploy/broker)")
	}
	if r.Shared == No && r.Partitions == 0 {
		fault("该代理不支持共享订阅（$share），也没有配置分区，评价会一直留在评价器上", "the broker has neither shared subscriptions ($share) nor partitions, so the boxes "+
			"keep their evaluations for ever",
			"改用支持共享订阅的代理（mosquitto 2、EMQX、HiveMQ）；使用 NATS 时按 deploy/broker/nats 配置分区",
			"use one that has them (mosquitto 2, EMQX, HiveMQ), or configure the partitions of deploy/broker/nats")
	}
	if r.Retained == No {
		fault("该代理不保存保留消息，评价器重启后得不到窗口配置", "the broker keeps no retained messages, so a box that restarts hears no configuration",
			"在代理中启用保留消息（mosquitto：retain_available true）", "let the broker retain messages (mosquitto: retain_available true)")
	}
	if r.Large == No {
		fault(fmt.Sprintf("该代理不接受 %d 字节的消息（试过能通过的最大为 %d），大批积压的评价会卡在评价器上", wire.MaxBatch, r.Largest),
			fmt.Sprintf("the broker does not take messages of %d bytes (%d is the largest tried that passes), so a box's backlog stays there",
				wire.MaxBatch, r.Largest),
			fmt.Sprintf("放宽代理的消息上限到 %d 以上（mosquitto：message_size_limit、max_packet_size；NATS：max_payload）", wire.MaxBatch+1024),
			fmt.Sprintf("raise the broker's limit above %d (mosquitto: message_size_limit, max_packet_size; NATS: max_payload)", wire.MaxBatch+1024))
	}
	if r.Delivers != Yes {
		notes = append(notes, Finding{false,
			Text{"该代理不允许中心使用 " + Topic + "/#，共享订阅、保留消息和消息上限都没有试过", "the broker does not let the centre use " + Topic +
				"/#, so shared subscriptions, retained messages and sizes were not tried"},
			Text{"在访问规则中允许中心读写 " + Topic + "/#（deploy/broker 中已有），再运行 centrald -check-config",
				"let the centre read and write " + Topic + "/#, as deploy/broker does, and run centrald -check-config again"}})
	}
	if r.Hidden {
		notes = append(notes, Finding{Found: Text{
			"该代理不允许中心写入 " + wire.ReceiverTopic + "：评价器不知道中心是否在线，uplink.ack = \"broker\" 的评价器什么都不发",
			"the broker does not let the centre write " + wire.ReceiverTopic + ": boxes do not learn whether it is there, and those with " +
				"uplink.ack = " +
				"\"broker\" send nothing"},
			Todo: Text{"检查代理的访问规则（deploy/broker）", "look at the broker's access rules (deploy/broker)"}})
	}
	return append(faults, notes...)
}
