package broker

import (
	"slices"
	"strconv"
	"strings"

	"github.com/seedlog/seedlog/core/commitlog"
	"github.com/seedlog/seedlog/core/metadata"
	"github.com/seedlog/seedlog/core/metadata/solo"
	"github.com/seedlog/seedlog/core/task"
	"github.com/seedlog/seedlog/io/disk"
)

// sortDirectories looks, before any log is opened, at those directories that the image does not account for. A crash may have left a
// deleted topic's: they have a topic id that the image no longer knows, and are removed in the background; so are those of partitions that
// were moved to other brokers meanwhile. What else is there is nobody's
// that we know, so it is left alone and named in a warning; so is everything if the metadata log was begun anew in this very start.
func (s *Shard) sortDirectories(t *task.Task, boot *bootData, img *metadata.Image) {
	for i := range boot.dirs {
		if boot.dirs[i].failed == "" && !t.Stopped() {
			s.sortDirectory(t, s.state.Dirs[i].Path, &boot.dirs[i], img)
		}
	}
}

func (s *Shard) sortDirectory(t *task.Task, dir string, b *bootDir, img *metadata.Image) {
	var gone []string
	for _, d := range b.logs {
		path := dir + "/" + d
		if commitlog.IsRemoved(d) {
			gone = append(gone, path)
			continue
		}
		topic, number, ok := splitName(d)
		if d == solo.Dir || ok && s.isMine(img.TopicByName(topic), number) {
			continue
		}
		id, known, err := commitlog.ReadTopicID(t, s.env, path)
		if t.Stopped() {
			return
		}
		if !known && err == disk.OK { // it has rotted
			id, known = b.topics[topic]
		}
		moved := ok && known && s.static.Clustered && img.TopicByID(id) != nil && img.TopicByID(id).Name == topic && !s.isMine(img.TopicByID(id), number)
		if !ok || !known || err != disk.OK || img.TopicByID(id) != nil && !moved || len(img.Brokers()) == 0 {
			s.env.Warnf("%s belongs to no topic of this cluster and is left alone; move it elsewhere or remove it", path)
			continue
		}
		aside, err := commitlog.SetAside(t, s.env, path)
		if t.Stopped() {
			return
		}
		if err != disk.OK {
			s.env.Warnf("%s is of a deleted topic and cannot be renamed (%v); remove it by hand", path, err)
			continue
		}
		gone = append(gone, aside)
	}
	if len(gone) > 0 {
		task.Go(s.env, func(t *task.Task) { s.removeDirectories(t, gone) })
	}
}

// isMine says whether a partition of a topic is one of this broker's.
func (s *Shard) isMine(t *metadata.Topic, number int32) bool {
	if t == nil || t.Partition(number) == nil {
		return false
	}
	return !s.static.Clustered || slices.Contains(t.Partition(number).Replicas, s.node.NodeID)
}

func (s *Shard) removeDirectories(t *task.Task, gone []string) {
	for _, d := range gone {
		err := commitlog.RemoveDir(t, s.env, d)
		if t.Stopped() {
			return
		}
		if err != disk.OK && err != disk.ErrNotExist {
			s.env.Warnf("cannot remove %s: %v; remove it by hand", d, err)
		}
	}
}

// splitName takes a log's directory name apart: topic, '-', number.
func splitName(d string) (topic string, number int32, ok bool) {
	i := strings.LastIndexByte(d, '-')
	if i <= 0 {
		return "", 0, false
	}
	n, err := strconv.ParseInt(d[i+1:], 10, 32)
	return d[:i], int32(n), err == nil && n >= 0 && d[i+1] != '+'
}
