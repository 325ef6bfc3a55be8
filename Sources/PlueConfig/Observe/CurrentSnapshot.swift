public import CPlueSystem
public import Synchronization

/// Holds the running snapshot for readers that wait for nobody.
///
/// Publishing puts the snapshot under a lock and then raises the publication number. A reader compares one number with the
/// one it cached and only goes to the lock when they differ, so that reads neither lock, allocate, nor touch a shared
/// reference count: the count's cache line, not the lookup, is what keeps reads from scaling.
@usableFromInline
final class CurrentSnapshot<Root: Settings>: Sendable {
    /// Unique in the process, so that threads' slots of two holders cannot be mixed up.
    @usableFromInline let owner: UInt64
    /// Raised after every publication.
    @usableFromInline let publication: Atomic<UInt64>
    private let snapshot: Mutex<Snapshot<Root>>

    init(_ snapshot: Snapshot<Root>) {
        owner = SnapshotOwners.next.wrappingAdd(1, ordering: .relaxed).newValue
        publication = Atomic(1)
        self.snapshot = Mutex(snapshot)
    }

    /// The running snapshot, retained.
    @usableFromInline var latest: Snapshot<Root> { snapshot.withLock { $0 } }

    func publish(_ next: Snapshot<Root>) {
        snapshot.withLock { $0 = next }
        publication.wrappingAdd(1, ordering: .releasing)
    }

    /// The running snapshot with the number it was published under.
    ///
    /// The number is read first: a publication in between then shows at the next comparison as one to fetch, never as one
    /// already had.
    @usableFromInline func fetch() -> (publication: UInt64, snapshot: Snapshot<Root>) {
        let number = publication.load(ordering: .acquiring)
        return (number, latest)
    }

    /// Reads through the calling thread's cached reference.
    @inlinable @inline(__always)
    func read<Result, Failure: Error>(_ body: (Root) throws(Failure) -> Result) throws(Failure) -> Result {
        let slot = plue_snapshot_slot(owner)
        if slot.pointee.owner != owner || slot.pointee.version != publication.load(ordering: .acquiring) {
            guard refresh(slot) else { return try body(latest.value) }
        }
        guard let object = slot.pointee.object else { return try body(latest.value) }
        slot.pointee.readers &+= 1
        defer { slot.pointee.readers &-= 1 }
        // Borrowed, not retained: the slot keeps the object alive as long as `readers` is above 0.
        let outcome = Unmanaged<Snapshot<Root>>.fromOpaque(object)._withUnsafeGuaranteedRef { snapshot in
            do throws(Failure) {
                return Swift.Result<Result, Failure>.success(try body(snapshot.value))
            } catch {
                return Swift.Result<Result, Failure>.failure(error)
            }
        }
        return try outcome.get()
    }

    /// Puts the running snapshot into the thread's slot; false when a read further up this thread's stack is inside the
    /// slot's object, which must then stay.
    @usableFromInline @inline(never)
    func refresh(_ slot: UnsafeMutablePointer<plue_cached_snapshot>) -> Bool {
        guard slot.pointee.readers == 0 else { return false }
        plue_snapshot_release_at_thread_end { object in
            Unmanaged<AnyObject>.fromOpaque(object).release()
        }
        let (number, snapshot) = fetch()
        let old = slot.pointee.object
        slot.pointee.object = UnsafeRawPointer(Unmanaged.passRetained(snapshot).toOpaque())
        slot.pointee.version = number
        slot.pointee.owner = owner
        if let old { Unmanaged<AnyObject>.fromOpaque(old).release() }
        return true
    }
}

/// Numbers the holders of the process.
private enum SnapshotOwners {
    static let next = Atomic<UInt64>(0)
}
