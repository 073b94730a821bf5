import java.time.Duration;
import java.util.*;
import java.util.function.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;

/** What Kafka's own transactional clients see: commits, aborts, a fenced producer, and offsets in transactions. */
public class Transactions {
    static String addr;

    static KafkaProducer<String, String> producer(String id) {
        var p = new KafkaProducer<>(Map.<String, Object>of("bootstrap.servers", addr, "transactional.id", id, "linger.ms", 1), new StringSerializer(), new StringSerializer());
        p.initTransactions();
        return p;
    }

    static KafkaConsumer<String, String> consumer(String group, String isolation, int max) {
        return new KafkaConsumer<>(Map.of("bootstrap.servers", addr, "group.id", group, "isolation.level", isolation, "auto.offset.reset", "earliest",
            "enable.auto.commit", false, "max.poll.records", max), new StringDeserializer(), new StringDeserializer());
    }

    /** All values of a topic, up to the ends that it has now: a commit is answered before its last marker is written, and that is waited for. */
    static List<String> read(String topic, String isolation) {
        try (var c = consumer("java-reader", isolation, 500); var look = consumer("java-reader", "read_uncommitted", 500)) {
            var parts = c.partitionsFor(topic).stream().map(x -> new TopicPartition(topic, x.partition())).toList();
            c.assign(parts);
            c.seekToBeginning(parts);
            var ends = look.endOffsets(parts);
            var out = new ArrayList<String>();
            long until = System.nanoTime() + 60_000_000_000L;
            while (parts.stream().anyMatch(p -> c.position(p) < ends.get(p))) {
                check(System.nanoTime() < until, topic + " is not read to its end within a minute");
                c.poll(Duration.ofMillis(200)).forEach(r -> out.add(r.value()));
            }
            Collections.sort(out);
            return out;
        }
    }

    static void check(boolean ok, String what) {
        if (!ok) throw new AssertionError(what);
    }

    static void same(List<String> got, Collection<String> want, String what) {
        var w = new ArrayList<>(want);
        Collections.sort(w);
        check(got.equals(w), what + ": " + got.size() + " values, want " + w.size());
    }

    static List<String> committedAndAborted(int rounds) {
        var kept = new ArrayList<String>();
        var every = new ArrayList<String>();
        try (var p = producer("java-writer")) {
            for (int i = 0; i < rounds; i++) {
                p.beginTransaction();
                for (int j = 0; j < 5; j++) {
                    String v = "w" + i + "-" + j;
                    p.send(new ProducerRecord<>("java-source", j % 3, "" + j, v));
                    every.add(v);
                    if (i % 3 != 0) kept.add(v);
                }
                if (i % 3 != 0) {
                    p.commitTransaction();
                } else {
                    p.flush();
                    p.abortTransaction();
                }
            }
        }
        same(read("java-source", "read_committed"), kept, "committed");
        same(read("java-source", "read_uncommitted"), every, "uncommitted");
        return kept;
    }

    static void fenced() {
        var first = producer("java-fenced");
        first.beginTransaction();
        first.send(new ProducerRecord<>("java-fence", "of the first"));
        first.flush();
        var second = producer("java-fenced");
        second.beginTransaction();
        second.send(new ProducerRecord<>("java-fence", "of the second"));
        second.commitTransaction();
        try {
            first.commitTransaction();
            throw new AssertionError("a fenced producer commits");
        } catch (ProducerFencedException | InvalidProducerEpochException e) {
            // as it should be
        }
        first.close(Duration.ofSeconds(1));
        second.close();
        same(read("java-fence", "read_committed"), List.of("of the second"), "fenced");
    }

    /** Copies one topic into another, offsets and records in one transaction; every third one is aborted and begun again. */
    static void offsets(List<String> kept) {
        try (var p = producer("java-copier"); var c = consumer("java-copy", "read_committed", 7)) {
            c.subscribe(List.of("java-source"));
            int done = 0, n = 0;
            long until = System.nanoTime() + 120_000_000_000L;
            while (done < kept.size()) {
                check(System.nanoTime() < until, "copied " + done + " of " + kept.size() + " within two minutes");
                var rs = c.poll(Duration.ofMillis(200));
                if (rs.isEmpty()) continue;
                p.beginTransaction();
                var at = new HashMap<TopicPartition, OffsetAndMetadata>();
                for (var r : rs) {
                    p.send(new ProducerRecord<>("java-sink", r.key(), r.value()));
                    at.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
                }
                p.sendOffsetsToTransaction(at, c.groupMetadata());
                if (++n % 3 != 0) {
                    p.commitTransaction();
                    done += rs.count();
                    continue;
                }
                p.abortTransaction();
                var committed = c.committed(c.assignment());
                for (var tp : c.assignment()) {
                    if (committed.get(tp) == null) c.seekToBeginning(List.of(tp));
                    else c.seek(tp, committed.get(tp).offset());
                }
            }
        }
        same(read("java-sink", "read_committed"), kept, "copied");
    }

    public static void main(String[] args) {
        addr = args[0];
        offsets(committedAndAborted(Integer.parseInt(args[1])));
        fenced();
        System.out.println("ok");
    }
}
