import CPlueSystem
import Foundation
import Synchronization

/// Memory for secrets: locked, so that it is never swapped out; left out of core dumps; erased as each piece is given back.
///
/// How much a process may lock is little (`RLIMIT_MEMLOCK`, often 8 MiB) and there may be thousands of secrets, so small ones share
/// pages: slots of one size to a page. What cannot be locked is kept all the same, erased and undumped as the rest.
final class SecretMemory: Sendable {
    /// The limit on locked memory is one of the process, so the memory is too.
    static let shared = SecretMemory()

    private let state: Mutex<State>

    private struct State {
        /// The pages that have free slots, for each of ``slotSizes``; taken from the last.
        var open = [[SecretPages]](repeating: [], count: SecretMemory.slotSizes.count)
        var usage = Usage()
    }

    /// How many bytes of pages are in use.
    struct Usage: Hashable, Sendable {
        var locked = 0
        var unlocked = 0
    }

    /// What is larger has pages of its own.
    static let slotSizes = [32, 64, 128, 256, 512, 1024]

    /// The most to lock, in bytes: root has no limit of its own, and locked memory is lost to everybody else.
    private let limit: Int

    init(limit: Int = 16 * 1_048_576) {
        self.limit = limit
        state = Mutex(State())
    }

    var usage: Usage { state.withLock { $0.usage } }

    /// A free slot, all zero, of at least so many bytes.
    func take(_ count: Int) -> SecretSlot {
        state.withLock { state in
            guard let size = Self.slotSizes.firstIndex(where: { $0 >= count }) else {
                let pages = add(SecretPages.size(holding: count), slots: 1, to: &state)
                return SecretSlot(pages: pages, start: pages.takeSlot())
            }
            let pages: SecretPages
            if let open = state.open[size].last {
                pages = open
            } else {
                let pageSize = SecretPages.size(holding: 1)
                pages = add(pageSize, slots: pageSize / Self.slotSizes[size], to: &state)
                state.open[size].append(pages)
            }
            let slot = SecretSlot(pages: pages, start: pages.takeSlot())
            if pages.isFull { state.open[size].removeLast() }
            return slot
        }
    }

    /// Erases a slot that ``take(_:)`` gave out, for the next secret.
    func giveBack(_ slot: SecretSlot) {
        state.withLock { state in
            let pages = slot.pages
            let wasFull = pages.isFull
            pages.giveBack(slot.start)
            guard let size = Self.slotSizes.firstIndex(of: pages.slotSize) else {
                remove(pages, from: &state)
                return
            }
            if wasFull { state.open[size].append(pages) }
            // The last page of a size stays, so that a secret that comes and goes does not map a page each time.
            if pages.isUnused, state.open[size].count > 1 {
                state.open[size].removeAll { $0 === pages }
                remove(pages, from: &state)
            }
        }
    }

    private func add(_ size: Int, slots: Int, to state: inout State) -> SecretPages {
        let pages = SecretPages(size: size, slots: slots, locking: state.usage.locked + size <= limit)
        if pages.isLocked { state.usage.locked += size } else { state.usage.unlocked += size }
        return pages
    }

    /// The pages go with the last slot that holds them, which is the one that is being given back.
    private func remove(_ pages: SecretPages, from state: inout State) {
        if pages.isLocked { state.usage.locked -= pages.size } else { state.usage.unlocked -= pages.size }
    }
}

/// A piece of secret memory, which keeps its pages alive.
struct SecretSlot: @unchecked Sendable {
    // Sendable: both are `let`, and what is behind `start` belongs to the one holder of the slot; see `SecretBytes`.
    let pages: SecretPages
    let start: UnsafeMutableRawPointer
}

/// Pages in slots of one size.
final class SecretPages: @unchecked Sendable {
    // Sendable: `free` is only touched inside the lock of the `SecretMemory` that made the pages; all else is `let`.
    private let start: UnsafeMutableRawPointer
    private let isMapped: Bool
    let size: Int
    let slotSize: Int
    let isLocked: Bool
    private let slots: Int
    /// The free slots, by number.
    private var free: [Int]

    init(size: Int, slots: Int, locking: Bool) {
        self.size = size
        self.slots = slots
        slotSize = size / slots
        free = Array((0..<slots).reversed())
        var locked: CInt = 0
        if let pages = plue_secret_pages_map(size, locking ? 1 : 0, &locked) {
            (start, isMapped) = (pages, true)
        } else {
            // No mapping left for this process: the heap is better than to lose a configuration.
            start = .allocate(byteCount: size, alignment: 16)
            start.initializeMemory(as: UInt8.self, repeating: 0, count: size)
            isMapped = false
        }
        isLocked = locked != 0
    }

    deinit {
        if isMapped {
            plue_secret_pages_unmap(start, size)
        } else {
            plue_erase(start, size)
            start.deallocate()
        }
    }

    var isFull: Bool { free.isEmpty }
    var isUnused: Bool { free.count == slots }

    /// Only while the pages are not full.
    func takeSlot() -> UnsafeMutableRawPointer { start + free.removeLast() * slotSize }

    func giveBack(_ slot: UnsafeMutableRawPointer) {
        plue_erase(slot, slotSize)
        free.append((slot - start) / slotSize)
    }

    /// So many bytes in whole pages.
    static func size(holding count: Int) -> Int { (count + pageSize - 1) / pageSize * pageSize }

    private static let pageSize = max(sysconf(CInt(_SC_PAGESIZE)), 4096)
}
