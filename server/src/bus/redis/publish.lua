-- Publishes a batch in one step: each event goes into the stream and to its channel, or neither happens.
--
-- KEYS: the stream; a key that never holds anything.
-- ARGV: the id that the stream must end with ("0-0": there is no stream), about how many entries it keeps,
--   the prefix of channels, the last event that channels have heard; then for each payload its number
--   (0: not an event), its topic, its frame.
-- Returns {1, id that the stream ends with}, or {0, id} when it does not end where it must: nothing was done.
--
-- Whoever sends a batch knows what is in the stream. So a batch whose reply was lost, and that is run late or
-- sent again, changes nothing the second time, and a second writer is noticed before anything is mixed.

local function failed(reply)
    return type(reply) == 'table' and reply.err ~= nil
end

local tail = '0-0'
if redis.call('EXISTS', KEYS[1]) == 1 then
    local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
    if failed(info) then return info end
    for at = 1, #info, 2 do
        if info[at] == 'last-generated-id' then tail = info[at + 1] end
    end
end
if tail ~= ARGV[1] then return {0, tail} end

-- Changes nothing, and is refused by a replica and when memory is full: found out also while nothing happens.
local probed = redis.pcall('SETRANGE', KEYS[2], 0, '')
if failed(probed) then return probed end

local heard = tonumber(ARGV[4])
for at = 5, #ARGV, 3 do
    local seq = tonumber(ARGV[at])
    if seq > 0 then
        local added = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], ARGV[at] .. '-0', 'event', ARGV[at + 2])
        if failed(added) then return added end
        tail = added
    end
    if seq == 0 or seq > heard then
        local sent = redis.pcall('PUBLISH', ARGV[3] .. ARGV[at + 1], ARGV[at + 2])
        if failed(sent) then return sent end
    end
end
return {1, tail}
