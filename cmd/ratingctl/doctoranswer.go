package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"haochaping/internal/boxconfig"
	"haochaping/internal/opsapi"
	"haochaping/internal/rating"
	"haochaping/sync/uplink"
	"haochaping/sync/wire"
)

// sampleOf returns a record that the box may send again, nil if there is none or it cannot be read, which checkLog says.
func sampleOf(p *patient) (*uplink.Sample, error) {
	if p.log == nil || p.log.Last == 0 || p.log.Device != p.config.Device {
		return nil, nil
	}
	key, err := os.ReadFile(filepath.Join(p.config.State, boxconfig.IdentityFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	private, err := boxconfig.ParseIdentity(key)
	if err != nil {
		return nil, err
	}
	out := &uplink.Sample{Key: private, Epoch: p.log.Epoch}
	enough := errors.New("enough")
	err = p.log.Records(max(p.log.Released, p.log.Trimmed+1), func(r rating.Record, raw []byte) error {
		out.Seq, out.Record = r.Seq, bytes.Clone(raw)
		return enough
	})
	if !errors.Is(err, enough) {
		return nil, nil
	}
	return out, nil
}

// tooLarge says that records wait until somebody has raised the broker's limit.
func tooLarge(r opsapi.TooLarge) finding {
	limitZH, limitEN := "", ""
	if r.Limit > 0 {
		limitZH, limitEN = fmt.Sprintf("（上限 %d 字节）", r.Limit), fmt.Sprintf(" (its limit is %d)", r.Limit)
	}
	return trouble(sick, fmt.Sprintf("%d 条记录超过代理的消息上限%s：第 %d 条有 %d 字节", r.Count, limitZH, r.Seq, r.Bytes),
		fmt.Sprintf("%d records are larger than the broker takes%s: number %d has %d bytes", r.Count, limitEN, r.Seq, r.Bytes),
		"这些记录留在本机，其余照常上传", "they stay here, the others are sent",
		"请中心管理员放宽代理的上限（mosquitto：message_size_limit、max_packet_size；NATS：max_payload），之后自动上传",
		"tell the centre's administrator to raise the broker's limit (mosquitto: message_size_limit, max_packet_size; NATS: max_payload); they are sent by themselves then")
}

// answerFailed says what it means that no acknowledgement came, by what the broker says of it.
func answerFailed(p *patient, err error) finding {
	const keptZH, keptEN = "评价保存在本机，一直待上传", "evaluations are kept here and wait"
	const rulesZH, rulesEN = "请中心管理员检查代理的访问规则（deploy/broker）", "tell the centre's administrator to look at the broker's access rules (deploy/broker)"
	records, ack := wire.Topic(p.config.Device, wire.RecordsChannel), wire.Topic(p.config.Device, wire.AckChannel)
	switch {
	case errors.Is(err, uplink.ErrMayNotWrite):
		return trouble(sick, "代理收下记录又丢弃：不允许本机写入 "+records, "the broker takes records and drops them: the box may not write "+records, keptZH, keptEN, rulesZH, rulesEN)
	case errors.Is(err, uplink.ErrNobodyReads):
		return trouble(sick, "代理那里没有中心在接收记录", "nobody reads the records at the broker", keptZH, keptEN,
			"请中心管理员检查 centrald 是否运行，再运行 centrald -check-config", "tell the centre's administrator to look whether centrald runs, and to run centrald -check-config")
	case errors.Is(err, uplink.ErrUnproven):
		return trouble(sick, "代理不能证明有程序接收记录："+err.Error(), "it cannot be proven that anybody gets the records: "+err.Error(),
			"uplink.ack = \"broker\" 时，不能证明就不算已上传，评价一直待上传", "with uplink.ack = \"broker\" what is not proven does not count as sent, and waits here",
			"改用 uplink.ack = \"centre\"，或支持 MQTT 5 的代理", "use uplink.ack = \"centre\", or a broker that speaks MQTT 5")
	case errors.Is(err, uplink.ErrNoAnswer):
		return trouble(sick, "记录已送出，但没有收到中心的确认", "a record was sent and no acknowledgement came", keptZH, keptEN,
			"请中心管理员检查 centrald 的状态，以及代理是否允许本机读取 "+ack, "tell the centre's administrator to look at centrald, and whether the broker lets the box read "+ack)
	}
	return trouble(sick, "中心的确认无效："+err.Error(), "the centre's acknowledgement is not right: "+err.Error(), keptZH, keptEN, "请联系中心管理员", "tell the centre's administrator")
}
