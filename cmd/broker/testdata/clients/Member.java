import java.io.*;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.*;
import java.util.stream.*;
import java.util.zip.CRC32;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.serialization.*;

/**
 * A member of a group. It says, with the machine's monotonic clock, which partitions it owns, owns no more or has lost, what it reads, and for which partitions a
 * commit was accepted that it sent then; what it commits it has said before. Each commit carries the member's name and the number of the assignment that gave it
 * the partition. SIGTERM lets it leave. Arguments: address, topic, group, name, and settings as key=value.
 */
public class Member implements ConsumerRebalanceListener {
    static final PrintStream out = new PrintStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16));
    static volatile boolean leave;

    final String name;
    final KafkaConsumer<byte[], byte[]> consumer;
    final Map<TopicPartition, Integer> owned = new HashMap<>(); // the number of the assignment that gave it
    final Map<TopicPartition, OffsetAndMetadata> read = new HashMap<>(); // and not committed
    int assignments;

    Member(String addr, String group, String name, List<String> settings) {
        this.name = name;
        var all = new HashMap<String, Object>(Map.of("bootstrap.servers", addr, "group.id", group, "client.id", name, "auto.offset.reset", "earliest",
            "enable.auto.commit", false, "max.poll.records", 100, "metadata.max.age.ms", 2000, "reconnect.backoff.max.ms", 500, "default.api.timeout.ms", 20000));
        for (var s : settings) all.put(s.split("=", 2)[0], s.split("=", 2)[1]);
        consumer = new KafkaConsumer<>(all, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    void say(long at, String what, Collection<TopicPartition> parts) {
        out.println(at + " " + what + " " + parts.stream().map(p -> "" + p.partition()).collect(Collectors.joining(" ")));
        out.flush();
    }

    public void onPartitionsAssigned(Collection<TopicPartition> parts) {
        assignments++;
        for (var p : parts) owned.put(p, assignments);
        say(System.nanoTime(), "own", parts);
    }

    public void onPartitionsRevoked(Collection<TopicPartition> parts) {
        commit(parts);
        owned.keySet().removeAll(parts);
        read.keySet().removeAll(parts);
        say(System.nanoTime(), "gone", parts);
    }

    public void onPartitionsLost(Collection<TopicPartition> parts) {
        owned.keySet().removeAll(parts);
        read.keySet().removeAll(parts);
        say(System.nanoTime(), "lost", parts);
    }

    void commit(Collection<TopicPartition> of) {
        var some = new HashMap<>(read);
        some.keySet().retainAll(of);
        if (some.isEmpty()) return;
        out.flush();
        long at = System.nanoTime();
        try {
            consumer.commitSync(some);
        } catch (KafkaException e) { // what is not committed is read again by the next owner
            System.err.println("commit: " + e);
            return;
        }
        read.keySet().removeAll(some.keySet());
        say(at, "kept", some.keySet());
    }

    void note(ConsumerRecord<byte[], byte[]> r) {
        var p = new TopicPartition(r.topic(), r.partition());
        var sum = new CRC32();
        sum.update(r.value(), 4, r.value().length - 4);
        boolean good = (int) sum.getValue() == ByteBuffer.wrap(r.value()).getInt() && Arrays.equals(r.key(), Arrays.copyOfRange(r.value(), 4, 16));
        out.println(System.nanoTime() + (good ? " read " : " bad ") + r.partition() + " " + r.offset() + " " + ByteBuffer.wrap(r.key()).getLong(4));
        read.put(p, new OffsetAndMetadata(r.offset() + 1, name + "/" + owned.get(p)));
    }

    void run(String topic) {
        consumer.subscribe(List.of(topic), this);
        while (!leave) {
            consumer.poll(Duration.ofMillis(100)).forEach(this::note);
            commit(List.copyOf(owned.keySet()));
        }
        consumer.close();
        say(System.nanoTime(), "left", List.of());
    }

    public static void main(String[] args) {
        System.setOut(System.err); // log4j writes there
        var main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            leave = true;
            try {
                main.join();
            } catch (InterruptedException e) {
                System.err.println(e);
            }
        }));
        new Member(args[0], args[2], args[3], List.of(args).subList(4, args.length)).run(args[1]);
    }
}
