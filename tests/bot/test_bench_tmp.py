import asyncio, time, logging, structlog
from tests.bot.line_house import *
from core.rules.types import *
from core.actions.join import follow
async def test_rate(house):
    house.line.world.check=None
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    people=[house.friend(f"客{i}") for i in range(300)]
    now=house.clock.now()
    for u in people: await house.db.write(follow, house.shop.merchant.id, LinePerson(user_id=u,name="x",language="ja"), u, now)
    codes=[await house.shop.till_code(house.clock.now()) for _ in people]
    await house.api.open()
    evs=[house.line.text_event(CHANNEL,u,c.code) for u,c in zip(people,codes)]
    house.run()
    sem=asyncio.Semaphore(32)
    async def one(e):
        async with sem:
            await house.line.deliver(CHANNEL,[e])
            await house.line.wait_for_reply(CHANNEL,e["source"]["userId"],timeout=60)
    t=time.perf_counter(); c=time.process_time()
    await asyncio.gather(*(one(e) for e in evs))
    t1=time.perf_counter(); c1=time.process_time()
    print("RATE", house.db.dialect, "wall",t1-t,"cpu/event ms",1000*(c1-c)/300, 300/(t1-t), await house.stamps())
    structlog.reset_defaults()
